"""Layers of the Hugging Face model that are computed again: they are, and not a bit changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from configs.artifact import Artifact
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import step_dir
from pretrain.checkpoint.reader import CheckpointReader
from tests.pretrain.engines.conftest import LOAD, evaluate, steps

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Lab

LAYERS, MICRO_BATCHES = 4, 4


def ways(lab: Lab, engine: str, precision: str, **parallel: str) -> dict[str, dict[str, Any]]:
    """The same five steps, with what is within a layer kept and computed again."""
    name = f"{engine} {precision} {parallel}"
    return {
        recompute: lab.case(
            f"{name} {recompute}",
            engine,
            *(LOAD, ("layer_passes", {}), steps(0, 5), evaluate("held_out")),
            ("save", {"root": str(lab.root / "recompute" / name / recompute), "step": 5}),
            precision=precision,
            parallel=parallel,
            recompute=recompute,
        )
        for recompute in ("none", "layers")
    }


def assert_again_and_the_same(found: dict[str, list[Any]], cases: dict[str, dict[str, Any]], ranks: int) -> None:
    none, layers = (found[cases[recompute]["name"]] for recompute in ("none", "layers"))
    here = LAYERS * MICRO_BATCHES // ranks
    assert [seen[1] for seen in none] == [here] * ranks
    assert [seen[1] for seen in layers] == [2 * here] * ranks
    assert [seen[2:] for seen in layers] == [seen[2:] for seen in none]
    kept, again = (
        CheckpointReader(Artifact.open(step_dir(Path(cases[recompute]["do"][-1][1]["root"]), 5)))
        for recompute in ("none", "layers")
    )
    for name, shape in kept.shapes.items():
        for kind in ("master", "exp_avg", "exp_avg_sq"):
            whole = Box.whole(shape)
            assert torch.equal(again.read(name, whole, kind), kept.read(name, whole, kind)), (name, kind)


def test_on_one_process_layers_run_twice_and_no_bit_changes(lab: Lab) -> None:
    both = [ways(lab, "single", precision) for precision in ("fp32", "bf16")]
    found = lab.run([case for cases in both for case in cases.values()], processes=1)
    for cases in both:
        assert_again_and_the_same(found, cases, 1)


@pytest.mark.slow
def test_under_zero_layers_run_twice_and_no_bit_changes(lab: Lab) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    stages = [("1", "fp32"), ("1", "bf16"), ("2", "fp32"), ("3", "fp32"), ("3", "bf16")]
    both = [ways(lab, "deepspeed", precision, zero=zero) for zero, precision in stages]
    found = lab.run([case for cases in both for case in cases.values()], processes=2)
    for cases in both:
        assert_again_and_the_same(found, cases, 2)
