"""What happens right around an optimizer step that a framework takes by itself, somewhere inside its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch

from pretrain.engines import adamw
from pretrain.engines.base import Group
from pretrain.engines.new_rows import NewRows


class InnerStep:
    """Hooks on torch's optimizer: new rows learn at their own rate, and a step can be made to change nothing.

    A framework goes on after the step (it copies weights and gathers them), so neither can be done from outside;
    and one that is never called leaves its gradients behind, so skipping by not calling it is no way out either.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, new_rows: NewRows) -> None:
        self._optimizer, self._new_rows = optimizer, new_rows
        self._rates: Mapping[Group, float] | None = None
        self._scaling = ExitStack()
        self._set_aside: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        self._hooks = [optimizer.register_step_pre_hook(self._before), optimizer.register_step_post_hook(self._after)]

    def take(self, lr_by_group: Mapping[Group, float]) -> None:
        """Let the next step change weights, at these rates."""
        self._rates = lr_by_group
        adamw.set_rates(self._optimizer, lr_by_group)

    def skip(self) -> None:
        """Let the next step change nothing: neither weights nor moments nor the step count."""
        self._rates = None

    def remove(self) -> None:
        """Take the hooks off."""
        for hook in self._hooks:
            hook.remove()

    def _before(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        if self._rates is None:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    # AdamW passes over what has no gradient; a framework may want the memory again.
                    self._set_aside.append((parameter, parameter.grad))
                    parameter.grad = None
        else:
            self._scaling.enter_context(self._new_rows.scaled(self._rates["new_rows"], self._rates["embeddings"]))

    def _after(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        self._scaling.close()
        for parameter, gradient in self._set_aside:
            parameter.grad = gradient
        self._set_aside.clear()
