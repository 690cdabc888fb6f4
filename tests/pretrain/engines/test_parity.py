"""Every layout of every engine computes what `single` computes, from the same files."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from configs.artifact import Artifact
from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import step_dir
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.base import Kind

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Jobs

LOSS, NORM, STATE = 2e-6, 2e-5, 2e-5
"""Relative differences allowed in fp32. A wrong weight decay shows as 3e-5 in the losses and 2e-4 in the state."""

LAYOUTS = [
    *("zero 0", "zero 1", "zero 2", "zero 3", "tensor 2", "pipeline 2", "data 2"),
    *("context 2", "tensor 2 sequence", "recompute"),
    *(
        pytest.param(name, marks=pytest.mark.slow)
        for name in (
            *("zero 1 of 3", "zero 3 of 3", "tensor 2 x pipeline 2"),
            *("pipeline 2 x data 2", "tensor 2 x data 2", "pipeline 4"),
            *("context 4", "context 2 x data 2", "context 2 x tensor 2", "context 2 x pipeline 2"),
            *("tensor 2 sequence x pipeline 2", "tensor 2 sequence x context 2 recompute"),
        )
    ),
]
ZERO = ["zero 0", "zero 1", "zero 2", "zero 3"]
MOMENTS: tuple[Kind, ...] = ("exp_avg", "exp_avg_sq")
every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def assert_same_steps(seen: list[Any], expected: list[Any]) -> None:
    assert len(seen) == len(expected) > 0
    for (nll, tokens, norm, skipped), (right_nll, right_tokens, right_norm, right_skipped) in zip(
        seen, expected, strict=True
    ):
        assert (tokens, skipped) == (right_tokens, right_skipped)
        assert nll / tokens == pytest.approx(right_nll / right_tokens, rel=LOSS)
        assert norm == pytest.approx(right_norm, rel=NORM)


def assert_same_sums(seen: list[Any], expected: list[Any]) -> None:
    assert [(source, tokens) for source, _, tokens in seen] == [(source, tokens) for source, _, tokens in expected]
    for (_, nll, _), (_, right, _) in zip(seen, expected, strict=True):
        assert nll == pytest.approx(right, rel=LOSS)


def state(jobs: Jobs, layout: str, case: str, step: int) -> dict[tuple[str, Kind], torch.Tensor]:
    """All tensors of a checkpoint, put together."""
    reader = CheckpointReader(Artifact.open(step_dir(Path(jobs.checkpoints(layout, case)), step), check="sha256"))
    held: dict[tuple[str, Kind], torch.Tensor] = {}
    for name, shape in reader.shapes.items():
        held[name, "master"] = reader.read(name, Box.whole(shape), "master")
        for kind in MOMENTS:
            with contextlib.suppress(UserError):  # a frozen tensor has none
                held[name, kind] = reader.read(name, Box.whole(shape), kind)
    return held


@every_layout
def test_ten_steps_have_the_losses_and_norms_of_single(jobs: Jobs, layout: str) -> None:
    _, _, first, _, second = jobs.seen(layout, "whole")
    _, _, right_first, _, right_second = jobs.seen("single", "whole")
    assert_same_steps([*first, *second], [*right_first, *right_second])
    assert_same_steps(jobs.seen(layout, "untied")[1], jobs.seen("single", "untied")[1])


@every_layout
def test_weights_and_moments_after_five_steps_are_those_of_single(jobs: Jobs, layout: str) -> None:
    jobs.seen(layout, "whole")
    here, there = state(jobs, layout, "whole", 5), state(jobs, "single", "whole", 5)
    assert here.keys() == there.keys()
    for key, right in there.items():
        assert float((here[key] - right).norm()) <= STATE * float(right.norm()), key


@every_layout
def test_its_checkpoint_continues_on_single_as_if_nothing_had_happened(jobs: Jobs, layout: str) -> None:
    assert_same_steps(jobs.back_on_single(layout)[1], jobs.seen("single", "whole")[4])


@every_layout
def test_it_continues_the_checkpoint_of_single_as_if_nothing_had_happened(jobs: Jobs, layout: str) -> None:
    assert_same_steps(jobs.seen(layout, "continued")[1], jobs.seen("single", "whole")[4])
    assert_same_sums(jobs.seen(layout, "continued")[2], jobs.seen("single", "continued")[2])


@every_layout
def test_held_out_losses_by_source_are_those_of_single(jobs: Jobs, layout: str) -> None:
    assert_same_sums(jobs.seen(layout, "whole")[1], jobs.seen("single", "whole")[1])


@pytest.mark.parametrize("layout", ["single", *LAYOUTS])
def test_another_document_in_front_changes_nothing_for_this_one(jobs: Jobs, layout: str) -> None:
    _, [a, b], [other_a, same_b] = jobs.seen(layout, "documents")
    assert a != other_a
    assert same_b == b


@every_layout
def test_new_rows_learn_at_their_own_rate(jobs: Jobs, layout: str) -> None:
    assert_same_steps(jobs.seen(layout, "faster new rows")[1], jobs.seen("single", "faster new rows")[1])
    here, there = state(jobs, layout, "faster", 3), state(jobs, "single", "faster", 3)
    name: tuple[str, Kind] = ("model.embed_tokens.weight", "master")
    torch.testing.assert_close(here[name], there[name], rtol=1e-5, atol=1e-6)


@every_layout
def test_a_stage_of_new_rows_changes_no_other_number(jobs: Jobs, layout: str) -> None:
    for case, folder, tied in (("new rows only", "new_rows", True), ("untied new rows only", "u", False)):
        seen, right = jobs.seen(layout, case), jobs.seen("single", case)
        assert_same_steps(seen[1], right[1])
        base = HfFolderReader(jobs.lab.root / ("tied" if tied else "untied"))
        after = {name: tensor for (name, kind), tensor in state(jobs, layout, folder, 3).items() if kind == "master"}
        assert after.keys() == base.names
        for name, tensor in after.items():
            old = base.shape(name)
            assert torch.equal(tensor[: old[0]], base.read(name, Box.whole(old))), name
    assert_same_steps(jobs.seen(layout, "new rows only")[3], jobs.seen("single", "new rows only")[3])


@every_layout
def test_a_stage_of_embeddings_changes_both_whole_and_nothing_else(jobs: Jobs, layout: str) -> None:
    assert_same_steps(jobs.seen(layout, "embeddings")[1], jobs.seen("single", "embeddings")[1])
    base = HfFolderReader(jobs.lab.root / "tied")
    for (name, kind), tensor in state(jobs, layout, "embeddings", 3).items():
        old = base.shape(name)
        same = kind == "master" and torch.equal(tensor[: old[0]], base.read(name, Box.whole(old)))
        assert same == (name != "model.embed_tokens.weight"), (name, kind)


@every_layout
def test_a_step_with_too_large_a_norm_or_loss_changes_nothing(jobs: Jobs, layout: str) -> None:
    _, _, _, [(_, _, norm, skipped)], [(nll, tokens, _, skipped_again)], _, after = jobs.seen(layout, "skip")
    assert skipped
    assert skipped_again
    assert norm > 0.1
    assert nll / tokens > 0.1
    before, then = state(jobs, layout, "skip", 2), state(jobs, layout, "skip", 3)
    assert before.keys() == then.keys()
    assert all(torch.equal(before[key], then[key]) for key in before)
    assert_same_steps(after, jobs.seen("single", "skip")[6])


@every_layout
def test_a_norm_that_is_no_number_changes_nothing(jobs: Jobs, layout: str) -> None:
    for _, [(nll, tokens, norm, skipped)], _ in jobs.all_ranks(layout, "not a number"):
        assert skipped
        assert math.isnan(nll)
        assert math.isnan(norm)
        assert tokens > 0
    after = state(jobs, layout, "broken", 1)
    assert {kind for _, kind in after} == {"master"}
    base = HfFolderReader(jobs.lab.root / "tied")
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(after[name, "master"], base.read(name, Box.whole(base.shape(name))))


@pytest.mark.parametrize("layout", ZERO)
def test_z_loss_moves_the_weights_and_is_not_in_the_losses(jobs: Jobs, layout: str) -> None:
    _, steps, held_out = jobs.seen(layout, "z-loss")
    _, right, right_held_out = jobs.seen("single", "z-loss")
    assert_same_steps(steps, right)
    assert_same_sums(held_out, right_held_out)
    without = jobs.seen("single", "whole")[2]
    assert right[0][0] == without[0][0]
    assert right[0][2] != pytest.approx(without[0][2], rel=1e-2)


def test_layers_that_are_computed_again_change_no_bit(jobs: Jobs) -> None:
    kept, again = jobs.seen("pipeline 2", "layer passes")[1], jobs.seen("recompute", "layer passes")[1]
    assert (kept, again) == (2 * 4, 2 * 2 * 4)  # layers of a stage, micro-batches
    for case in ("whole", "untied", "new rows only"):
        assert jobs.seen("recompute", case) == jobs.seen("pipeline 2", case)


OTHER_MEGATRON = os.environ.get("TSUGIKI_OTHER_MEGATRON", "")


@pytest.mark.slow
@pytest.mark.skipif(
    not OTHER_MEGATRON,
    reason="TSUGIKI_OTHER_MEGATRON is not set to a PYTHONPATH with another megatron-core, e.g. unpacked wheels of "
    "megatron-core 0.19.2 and triton",
)
def test_another_version_of_megatron_core_computes_the_same(jobs: Jobs) -> None:
    lab = jobs.lab
    train = ("steps", {"first": 0, "last": 10, "lr": lab.lr, "limits": {"grad_norm": 1e9}})
    cases = [
        lab.case(
            name, "megatron", ("version", {"module": "megatron.core"}), ("load_base", {}), train, parallel=parallel
        )
        for name, parallel in (("tensor", {"tensor": 2}), ("pipeline", {"pipeline": 2}), ("data", {}))
    ]
    seen = lab.run(cases, processes=2, python_path=OTHER_MEGATRON)
    _, _, first, _, second = jobs.seen("single", "whole")
    for name in ("tensor", "pipeline", "data"):
        for version, _, steps in seen[name]:
            assert version.startswith("0.19.")
            assert_same_steps(steps, [*first, *second])
