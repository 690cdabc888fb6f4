"""Held-out text in the course of a run: when it is measured, and what follows from it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.forgetting import forgotten
from pretrain.metrics_file import read_metrics
from pretrain.stage import checkpoints_dir
from pretrain.train import train

MakeRun = Callable[..., Run]

# A rate at which English is forgotten fast, when there is none in the mixture.
FORGETFUL = (
    "pretrain.stages={all: {tokens: 2304, mixture: {inhouse: 1}}}",
    "pretrain.optim.lr=0.1",
    "pretrain.evaluate.every_steps=3",
)
LANGUAGE_OF = {"inhouse": "ja", "english": "en"}


def with_budget(share: float, action: str) -> str:
    """An override: so much of English may be forgotten."""
    return f"pretrain.forgetting={{budgets: {{english: {share!r}}}, action: {action}}}"


def trained(run: Run) -> list[int]:
    """Optimizer steps that were taken."""
    return [line["step"] for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "step"]


def measured(run: Run) -> list[int]:
    """Steps after which the model in training was measured."""
    lines = read_metrics(checkpoints_dir(run))
    return [line["step"] for line in lines if line["kind"] == "evaluation" and line["model"] == "trained"]


def test_the_end_of_every_stage_is_measured(packed: MakeRun) -> None:
    run = packed(
        "pretrain.stages={rows: {tokens: 512, mixture: {inhouse: 1}, train: new_rows}, all: {tokens: 1024, mixture: "
        "{inhouse: 1}}}",
        "pretrain.evaluate.every_steps=5",
    )
    train(run)
    assert measured(run) == [0, 2, 5, 6]


def test_a_run_that_forgets_more_than_its_budget_saves_and_stops_until_it_may_go_on(
    packed: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = packed(*FORGETFUL, with_budget(0.0, "stop"))
    root = checkpoints_dir(run)
    reason = (
        r"pretrain\.forgetting: after step 3 .*: english \+\d+\.\d\d % bits per character, budget 0 %\. The state is"
    )
    with pytest.raises(UserError, match=reason):
        train(run)
    assert (root / "step-00000003" / "manifest.json").exists()
    with pytest.raises(UserError, match=reason):
        train(run)
    assert trained(run) == [1, 2, 3]

    share = forgotten(read_metrics(root), LANGUAGE_OF)[3]["english"]
    with pytest.raises(UserError, match="after step 6"):
        train(packed(*FORGETFUL, with_budget(share, "stop")))
    assert (root / "step-00000006" / "manifest.json").exists()

    with caplog.at_level("WARNING", "pretrain.evaluations"):
        train(packed(*FORGETFUL, with_budget(share, "warn")))
    assert "step 9  forgets more than its budget: english +" in caplog.text
    counts = Artifact.open(root).counts
    assert counts["forgetting"] == forgotten(read_metrics(root), LANGUAGE_OF)[9]
    assert trained(run) == list(range(1, 10))


def test_a_run_within_its_budget_says_nothing(packed: MakeRun, caplog: pytest.LogCaptureFixture) -> None:
    run = packed(with_budget(0.0, "stop"))  # it learns English too; before the first step it was worse than the base
    with caplog.at_level("WARNING", "pretrain.evaluations"):
        train(run)
    shares = forgotten(read_metrics(checkpoints_dir(run)), LANGUAGE_OF)
    assert shares[0]["english"] > 0 > shares[6]["english"]
    assert not caplog.text
