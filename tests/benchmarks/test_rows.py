"""The experiment on first values of new rows, in small: it runs, and its cases differ only in how rows begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.rows import CASES, Case, measure
from tests.tiny import tiny_run
from tokenizer.embed import RowsOf

_OVERRIDES = (
    "pretrain.stages={all: {tokens: 512, mixture: {inhouse: 1}}}",
    "pretrain.optim={lr: 5.0e-3, new_rows_lr: 3, warmup_tokens: 256}",
)


@pytest.mark.slow
def test_every_case_starts_and_learns_beside_the_same_base(tmp_path: Path) -> None:
    tiny_run(tmp_path)
    mean = RowsOf("mean")
    cases = [
        Case("tied/mean", mean),
        Case("tied/again", mean),
        Case("tied/random", RowsOf("random")),
        Case("untied/mean_mean", mean, RowsOf("mean", side="output")),
        Case("untied/mean_first", mean, RowsOf("first", side="output")),
    ]
    figures = measure(tmp_path / "run.yaml", _OVERRIDES, cases)
    value = {name: one["value"] for name, one in figures.items()}
    assert set(value) == {"rows/base/step_0"} | {f"rows/{case.name}/step_{step}" for case in cases for step in (0, 2)}
    for case in cases:
        assert value[f"rows/{case.name}/step_2"] < value[f"rows/{case.name}/step_0"]
    for step in (0, 2):
        assert value[f"rows/tied/mean/step_{step}"] == value[f"rows/tied/again/step_{step}"]
        assert value[f"rows/tied/mean/step_{step}"] != value[f"rows/tied/random/step_{step}"]
    # A copy of the embedding as output is the tied model until it is trained.
    assert value["rows/untied/mean_mean/step_0"] == pytest.approx(value["rows/tied/mean/step_0"], rel=1e-5)
    assert value["rows/untied/mean_first/step_0"] != value["rows/untied/mean_mean/step_0"]
    peers = figures["rows/tied/mean/step_0"]["peers"]
    assert peers == {"untouched_base": value["rows/base/step_0"], "limit": 1.5 * value["rows/base/step_0"]}


def test_the_default_is_among_the_cases() -> None:
    from configs.schema.tokenizer import Init

    init = Init()
    tied = [case.input for case in CASES if case.output is None]
    assert RowsOf(init.method, init.norm) in tied
    output = RowsOf(init.output_method, init.output_norm, init.output_scale, "output")
    assert (RowsOf(init.method, init.norm), output) in [(case.input, case.output) for case in CASES]
