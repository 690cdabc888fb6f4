"""Stages of training in the run file: lengths and rotary bases."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.load import load
from configs.schema.run import Run

STAGES = "    all: {tokens: 64, mixture: {manuals: 1}}\n"
LONGER = "    long: {tokens: 64, mixture: {manuals: 1}, %s}\n"


def test_a_batch_may_be_one_long_sequence(run_file: Path, run_text: str) -> None:
    run_file.write_text(run_text.replace(STAGES, STAGES + LONGER % "seq_len: 16"))
    assert load(run_file, Run).pretrain.stages["long"].seq_len == 16


@pytest.mark.parametrize(
    ("more", "base"),
    [
        pytest.param("", None, id="none"),
        pytest.param(LONGER % "rope_base: 500_000", 500_000.0, id="of the last stage"),
        pytest.param(LONGER % "rope_base: 500_000" + LONGER.replace("long", "cool") % "train: all", 5e5, id="it stays"),
    ],
)
def test_training_ends_with_the_last_rotary_base_that_a_stage_sets(
    run_file: Path, run_text: str, more: str, base: float | None
) -> None:
    run_file.write_text(run_text.replace(STAGES, STAGES + more))
    assert load(run_file, Run).pretrain.last_rope_base == base
