"""When a step is not taken, and when enough is enough."""

from __future__ import annotations

import logging

from configs.errors import UserError
from configs.schema.pretrain import Guards
from pretrain.engines.base import StepSums

_log = logging.getLogger(__name__)


class Guard:
    """Counts skipped steps; the engine itself skips, before anything changes.

    Args:
        skipped: steps that earlier attempts skipped.
    """

    def __init__(self, settings: Guards, skipped: int) -> None:
        self._settings, self._skipped = settings, skipped

    def check(self, step: int, sums: StepSums) -> None:
        """Take note of a step.

        Raises:
            UserError: if more steps were skipped than the run file allows.
        """
        if not sums.skipped:
            return
        self._skipped += 1
        _log.warning(
            "step %d skipped: gradient norm %s is above %s", step, sums.grad_norm, self._settings.max_grad_norm
        )
        if self._skipped > self._settings.max_skipped:
            raise UserError(
                f"pretrain.guards: {self._skipped} steps were skipped, max_skipped is {self._settings.max_skipped}; "
                "the learning rate may be too high, or the data of these steps broken (metrics.jsonl has the steps)"
            )
