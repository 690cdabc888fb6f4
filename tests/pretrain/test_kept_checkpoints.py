"""Which checkpoints a whole run leaves, undisturbed or interrupted and gone on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from configs.artifact import Artifact
from configs.schema.run import Run
from pretrain.checkpoint.directory import complete, step_of
from pretrain.metrics_file import read_metrics
from pretrain.schedule import lr_by_group
from pretrain.stage import checkpoints_dir
from pretrain.train import train

MakeRun = Callable[..., Run]

# Japanese only, at a rate at which English gets worse soon, Japanese better to the end, and their mean in between.
FORGETFUL = (
    "pretrain.stages={all: {tokens: 3072, mixture: {inhouse: 1}}}",
    "pretrain.optim.lr=0.02",
    "pretrain.optim.schedule=constant",
)


def kept(run: Run) -> list[int]:
    """Steps of the checkpoints that are there."""
    return [step_of(path) for path in complete(checkpoints_dir(run))]


def bits(run: Run) -> dict[int, dict[str, float]]:
    """Held-out bits per character of the model in training, by step and source, before the first step left out."""
    lines = [line for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "evaluation" and line["step"] > 0]
    return {line["step"]: {name: one["bits_per_character"] for name, one in line["sources"].items()} for line in lines}


def english(bits_of: Mapping[str, float]) -> float:
    return bits_of["english"]


def mean(bits_of: Mapping[str, float]) -> float:
    return (bits_of["english"] + bits_of["inhouse"]) / 2


@pytest.mark.parametrize(
    ("settings", "measure", "best", "stay"),
    [
        pytest.param({"keep_last": 1}, english, 0, {12}, id="the newest", marks=pytest.mark.slow),
        pytest.param(
            {"keep_last": 2, "keep_every_steps": 4}, english, 0, {4, 8, 10, 12}, id="milestones", marks=pytest.mark.slow
        ),
        pytest.param({"keep_last": 1, "keep_best": 1, "keep_best_by": "english"}, english, 1, {2, 12}, id="the best"),
        pytest.param(
            {"keep_last": 1, "keep_best": 2, "keep_best_by": "en"},
            english,
            2,
            {2, 4, 12},
            id="the two best of a language",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"keep_last": 1, "keep_best": 1}, mean, 1, {8, 12}, id="the best in both languages", marks=pytest.mark.slow
        ),
    ],
)
def test_what_a_run_leaves_is_what_a_resumed_run_leaves(
    packed: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, Any],
    measure: Callable[[Mapping[str, float]], float],
    best: int,
    stay: set[int],
) -> None:
    words = [f"pretrain.checkpoint.{key}={value}" for key, value in {"every_steps": 2, **settings}.items()]
    run = packed(*FORGETFUL, *words, "pretrain.evaluate.every_steps=2")
    train(run)
    assert kept(run) == sorted(stay)
    measured = {at: measure(of_sources) for at, of_sources in bits(run).items()}
    assert sorted(measured) == [2, 4, 6, 8, 10, 12]
    assert set(sorted(measured, key=measured.__getitem__)[:best]) <= stay
    assert Artifact.open(checkpoints_dir(run)).counts["checkpoint"] == "step-00000012"

    shutil.rmtree(checkpoints_dir(run))
    calls = 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 8:  # in the step after the one that the third checkpoint follows
            raise KeyboardInterrupt
        return lr_by_group(*arguments)

    monkeypatch.setattr("pretrain.step.lr_by_group", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(run)
    assert max(kept(run)) < 8
    train(run)
    assert kept(run) == sorted(stay)


@pytest.mark.slow
def test_a_checkpoint_that_was_not_measured_is_never_the_best(packed: MakeRun) -> None:
    words = ("pretrain.checkpoint={every_steps: 2, keep_last: 1, keep_best: 1, keep_best_by: english}",)
    run = packed(*FORGETFUL, *words, "pretrain.evaluate.every_steps=4")  # the one after step 2 would be better
    train(run)
    assert kept(run) == [4, 12]
