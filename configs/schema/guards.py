"""The parts of the `pretrain` section that say when training stops, warns, leaves steps out or goes back."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.section import Section, operational, rule


class Guards(Section):
    """When a step is not taken."""

    max_grad_norm: float = Field(default=1e4, gt=0)
    """A step whose gradient norm is larger, or not a number, is skipped and recorded."""
    spike_sigmas: float | None = Field(default=None, gt=0)
    """A step is skipped, too, whose loss or gradient norm is above the mean of the last spike_window steps by more than
    so many standard deviations; OLMo-core (SkipStepOptimizer) has 6; none is off."""
    spike_window: int = Field(default=128, ge=2)
    """Taken steps that say what is usual; as many at the beginning of each stage are not judged."""
    max_skipped: int = operational(10, ge=0)
    """More skipped steps than this stop the run; with rollback_after, a row of them counts once it has ended. Raise it
    to go on."""
    rollback_after: int | None = Field(default=None, ge=1)
    """When so many steps are skipped one after the other, training goes back to its state rollback_steps steps before
    the first of them, and leaves out all steps from there to the last of them, with their samples; none: never."""
    rollback_steps: int = Field(default=100, ge=1)
    """Steps before the trouble that are undone and left out, too, but none of the stage before; PaLM went back by about
    100 steps and left out 200 to 500 batches (arXiv:2204.02311)."""
    max_rollbacks: int = operational(3, ge=1)
    """After so many rollbacks the next trouble stops the run; raise it to go on."""


class Stop(Section):
    """When training saves and stops before its end, with exit status 75; the same command goes on from there."""

    minutes: float | None = operational(None, gt=0)
    """Minutes of training; none sets no limit. SIGTERM, SIGUSR1 and a file `stop` in the run's directory ask for it,
    too."""
    before_end_s: float = operational(300.0, ge=0)
    """Seconds before the end of a Slurm job (SLURM_JOB_END_TIME); saving must fit into them."""


class Forgetting(Section):
    """How much worse the model may become at what the base could do."""

    budgets: dict[str, float] = operational({})
    """By source or language: the share by which its held-out bits per character may rise above the untouched base's;
    checked at every measurement after the first step."""
    action: Literal["warn", "stop"] = operational("warn")
    """What happens when a budget is exceeded; stop: save and end, and the same command ends at once until a budget is
    raised or this is warn."""

    @rule("budgets")
    def shares_above_nothing(self) -> str | None:
        wrong = [name for name, share in self.budgets.items() if not 0 <= share < float("inf")]
        return f"budgets must be shares of 0 or more, which {', '.join(wrong)} is not" if wrong else None
