"""float32 weights of a model that computes in bfloat16.

The model's own parameters are bfloat16 and the optimizer trains float32 copies of them. The other way, float32
parameters under autocast, needs the same 18 bytes per parameter and casts every weight, and every gradient back, in
each micro-batch; here weights are cast once per optimizer step, and gradients while they are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn


class Masters:
    """The float32 copies, and the way of gradients to them and of weights back.

    Args:
        model: its parameters by name; frozen ones have copies too, because a checkpoint holds float32.
    """

    def __init__(self, model: Mapping[str, nn.Parameter]) -> None:
        self._model = model
        self.parameters: dict[str, nn.Parameter] = {}
        for name, parameter in model.items():
            master = nn.Parameter(parameter.detach().float(), requires_grad=parameter.requires_grad)
            self.parameters[name] = master
            if parameter.requires_grad:
                parameter.register_post_accumulate_grad_hook(_moves_gradient_to(master))

    @torch.no_grad()
    def to_model(self) -> None:
        """Round the weights into the model."""
        for name, parameter in self._model.items():
            parameter.copy_(self.parameters[name])


def _moves_gradient_to(master: nn.Parameter) -> Callable[[torch.Tensor], None]:
    """A hook that adds a parameter's gradient to the master's, in float32, as soon as it is whole."""

    def move(parameter: torch.Tensor) -> None:
        assert parameter.grad is not None
        if master.grad is None:
            master.grad = parameter.grad.float()
        else:
            master.grad += parameter.grad
        parameter.grad = None

    return move
