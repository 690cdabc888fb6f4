"""When a step is not taken, when training goes back, and when enough is enough."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence

from configs.errors import AgreedError
from configs.schema.guards import Guards
from pretrain import ranks
from pretrain.engines.base import Limits, StepSums
from pretrain.job import Progressed

_log = logging.getLogger(__name__)


class GoBackError(Exception):
    """Steps are skipped one after the other, and more of them will not mend what is wrong. Never shown to anybody."""


class Guard:
    """Says what a step must keep to; the engine itself skips one that does not, before anything changes.

    Args:
        done: holds, over restarts, how many steps were skipped, what is usual, and how often training went back.
    """

    def __init__(self, settings: Guards, done: Progressed) -> None:
        self._settings, self._done = settings, done

    def limits(self, *, new_stage: bool) -> Limits:
        """Of the next step.

        Args:
            new_stage: whether it is the first of a stage; what was usual in the one before says nothing then.
        """
        settings, recent = self._settings, self._done.recent
        if new_stage:
            recent.clear()
            self._done.skipped_in_a_row = 0
        if settings.spike_sigmas is None or len(recent) < settings.spike_window:
            return Limits(settings.max_grad_norm)
        loss, grad_norm = (above(values, settings.spike_sigmas) for values in zip(*recent, strict=True))
        return Limits(min(grad_norm, settings.max_grad_norm), loss)

    def check(self, step: int, sums: StepSums, limits: Limits) -> None:
        """Take note of a step.

        Args:
            sums: equal on all ranks.
        Raises:
            AgreedError: if more steps were skipped, or more rollbacks are needed, than the run file allows.
            GoBackError: if so many were skipped one after the other that training goes back.
        """
        done, loss = self._done, sums.nll / max(sums.tokens, 1)
        if not sums.skipped:
            done.skipped_in_a_row = 0
            self._refuse_too_many(done.skipped)
            if self._settings.spike_sigmas is not None:
                done.recent.append((loss, sums.grad_norm))
                del done.recent[: -self._settings.spike_window]
            return
        done.skipped += 1
        done.skipped_in_a_row += 1
        if ranks.rank() == 0:
            _log.warning(
                "step %d skipped: gradient norm %.6g, at most %.6g is allowed; loss %.6g nats, at most %.6g",
                step,
                sums.grad_norm,
                limits.grad_norm,
                loss,
                limits.nll_per_token,
            )
        self._judge(step)

    def _judge(self, step: int) -> None:
        """Whether training goes on after a skipped step."""
        settings, done = self._settings, self._done
        after = settings.rollback_after
        if after is not None and done.skipped_in_a_row >= after:
            if len(done.rollbacks) < settings.max_rollbacks:
                raise GoBackError
            raise AgreedError(
                f"pretrain.guards: the steps {step - done.skipped_in_a_row + 1} to {step} were skipped one after the "
                f"other, and training has gone back {len(done.rollbacks)} time(s) already, max_rollbacks is "
                f"{settings.max_rollbacks}; the learning rate may be too high, or much of the data broken "
                "(rollbacks.jsonl has the steps)"
            )
        # While a row goes on, it is not known yet whether it is undone.
        self._refuse_too_many(done.skipped - (done.skipped_in_a_row if after is not None else 0))

    def _refuse_too_many(self, skipped: int) -> None:
        if skipped > self._settings.max_skipped:
            raise AgreedError(
                f"pretrain.guards: {skipped} steps were skipped, max_skipped is "
                f"{self._settings.max_skipped}; the learning rate may be too high, or the data of these steps broken "
                "(metrics.jsonl has the steps)"
            )


def above(values: Sequence[float], sigmas: float) -> float:
    """Mean and so many standard deviations: what is larger is a spike.

    >>> above([1.0, 3.0], 2)
    4.0
    """
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
    return mean + sigmas * math.sqrt(variance)
