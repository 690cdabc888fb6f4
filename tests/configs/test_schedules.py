"""Schedules in the run file that cannot be gone through."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.load import load
from configs.schema.run import Run

STAGE = "{tokens: 64, mixture: {manuals: 1}}"
OWN = "{tokens: 64, mixture: {manuals: 1}, %s}"


def complaint(run_file: Path, run_text: str, optim: str, stage: str) -> str | None:
    """The key and the message of what is wrong, without its place."""
    run_file.write_text(run_text.replace(STAGE, stage).replace("base: base", f"base: base\n  optim: {{{optim}}}"))
    try:
        load(run_file, Run)
    except ConfigError as error:
        return "\n".join(f"{problem.key}: {problem.message}" for problem in error.problems)
    return None


@pytest.mark.parametrize(
    ("optim", "stage", "message"),
    [
        pytest.param("warmup_tokens: 64", STAGE, None, id="all is warm-up"),
        pytest.param(
            "warmup_tokens: 65",
            STAGE,
            "pretrain.optim: the warm-up of 65 tokens is longer than the 64 tokens that it is for",
            id="the warm-up is longer than the run",
        ),
        pytest.param("schedule: wsd, warmup_tokens: 32, decay: 0.5", STAGE, None, id="decay right after the warm-up"),
        pytest.param(
            "schedule: wsd, warmup_tokens: 33, decay: 0.5",
            STAGE,
            "pretrain.optim: after the warm-up 31 tokens are left, a decay over 0.5 of 64 needs more",
            id="decay into the warm-up",
        ),
        pytest.param(
            "decay: 0.5",
            STAGE,
            "pretrain.optim.decay: only the schedule wsd has it, cosine goes down all the way or not at all",
            id="decay of a cosine",
        ),
        pytest.param(
            "schedule: sqrt, decay_way: sqrt",
            STAGE,
            "pretrain.optim.decay_way: only the schedule wsd has it, not sqrt",
            id="a way of decay of another schedule",
        ),
        pytest.param("lr: 1e-5", OWN % "rewarm_tokens: 64", None, id="all of the stage warms up again"),
        pytest.param(
            "lr: 1e-5",
            OWN % "rewarm_tokens: 65",
            "pretrain.stages.all.rewarm_tokens: the warm-up of 65 tokens is longer than the stage (64 tokens)",
            id="warms up longer than the stage",
        ),
        pytest.param(
            "lr: 1e-5",
            OWN % "rewarm_tokens: 1, rate: {warmup_tokens: 1}",
            "pretrain.stages.all.rewarm_tokens: "
            "a stage with a rate of its own is warmed up by rate.warmup_tokens; remove one of the two",
            id="warmed up twice",
        ),
        pytest.param("warmup_tokens: 65", OWN % "rate: {peak: 0.1}", None, id="the run's schedule is never used"),
        pytest.param(
            "lr: 1e-5",
            OWN % "rate: {warmup_tokens: 65}",
            "pretrain.stages.all.rate: the warm-up of 65 tokens is longer than the 64 tokens that it is for",
            id="a stage's own is longer than the stage",
        ),
    ],
)
def test_what_cannot_be_gone_through_is_refused(
    run_file: Path, run_text: str, optim: str, stage: str, message: str | None
) -> None:
    assert complaint(run_file, run_text, optim, stage) == message
