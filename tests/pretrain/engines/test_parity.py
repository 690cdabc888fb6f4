"""Every layout of every engine computes what `single` computes, from the same files."""

from __future__ import annotations

import contextlib
import math
from itertools import chain
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
from tests.pretrain.engines.conftest import FEW, IN_THE_SLOW_SUITE, MOVES, OVERLAPPED

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Jobs

LOSS, NORM, STATE = 2e-6, 2e-5, 2e-5
"""Relative differences allowed in fp32. A wrong weight decay shows as 3e-5 in the losses and 2e-4 in the state."""

BF16_LOSS, BF16_NORM = 1e-3, 2e-2
"""Relative differences allowed between bf16 and fp32; bfloat16 has 8 bits, and a weight's is 2⁻⁹ off."""


def slow(*layouts: str) -> list[Any]:
    return [pytest.param(layout, marks=pytest.mark.slow) for layout in layouts]


def of_two_processes(*layouts: str) -> list[Any]:
    return [pytest.param(name, marks=pytest.mark.slow if name in IN_THE_SLOW_SUITE else ()) for name in layouts]


ZERO = of_two_processes("zero 0", "zero 1", "zero 2", "zero 3")
CORE_OF_2 = ["tensor 2", "pipeline 2", "data 2", "context 2", "tensor 2 sequence", "recompute"]
CORE_OF_4 = [
    *slow("tensor 2 x pipeline 2", "pipeline 2 x data 2", "tensor 2 x data 2", "pipeline 4"),
    *slow("context 4", "context 2 x data 2", "context 2 x tensor 2", "context 2 x pipeline 2"),
    *slow("tensor 2 sequence x pipeline 2", "tensor 2 sequence x context 2 recompute"),
]
ZERO_OF_3 = slow("zero 1 of 3", "zero 2 of 3", "zero 3 of 3")
LAYOUTS = [*ZERO, *ZERO_OF_3, *of_two_processes(*CORE_OF_2), *CORE_OF_4]
MOMENTS: tuple[Kind, ...] = ("exp_avg", "exp_avg_sq")
every_layout = pytest.mark.parametrize("layout", LAYOUTS)
every_bf16_layout = pytest.mark.parametrize("layout", ["single", *ZERO_OF_3, *slow(*CORE_OF_2), *CORE_OF_4])


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


def assert_bitwise_equal(
    seen: dict[tuple[str, Kind], torch.Tensor], expected: dict[tuple[str, Kind], torch.Tensor]
) -> None:
    assert seen.keys() == expected.keys()
    assert {kind for _, kind in expected} == {"master", *MOMENTS}
    for key, right in expected.items():
        assert torch.equal(seen[key], right), key


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
    assert_same_steps(jobs.back_on_single(layout)[2], jobs.seen("single", "whole")[4])
    assert_bitwise_equal(state(jobs, layout, "back", 5), state(jobs, layout, "whole", 5))


@every_layout
def test_it_continues_the_checkpoint_of_single_as_if_nothing_had_happened(jobs: Jobs, layout: str) -> None:
    assert_same_steps(jobs.seen(layout, "continued")[2], jobs.seen("single", "whole")[4])
    assert_same_sums(jobs.seen(layout, "continued")[3], jobs.seen("single", "continued")[3])
    assert_bitwise_equal(state(jobs, layout, "continued", 5), state(jobs, "single", "whole", 5))


@every_layout
def test_held_out_losses_by_source_are_those_of_single(jobs: Jobs, layout: str) -> None:
    assert_same_sums(jobs.seen(layout, "whole")[1], jobs.seen("single", "whole")[1])


@pytest.mark.parametrize("layout", ["single", *LAYOUTS])
def test_another_document_in_front_changes_nothing_for_this_one(jobs: Jobs, layout: str) -> None:
    _, [a, b], [other_a, same_b] = jobs.seen(layout, "documents")
    assert a != other_a
    assert same_b == b


@every_layout
def test_it_writes_what_single_writes_and_finds_it_as_likely(jobs: Jobs, layout: str) -> None:
    seen, right = jobs.seen(layout, "samples"), jobs.seen("single", "samples")
    for (ids, likeliest, shares), (right_ids, right_likeliest, right_shares) in zip(
        seen[1::2] + seen[-1:], right[1::2] + right[-1:], strict=True
    ):
        assert (ids, likeliest) == (right_ids, right_likeliest)
        for here, there in zip(shares, right_shares, strict=True):
            assert here == pytest.approx(there, rel=1e-4)
            assert here == sorted(here, reverse=True)


@pytest.mark.parametrize("layout", ["single", *LAYOUTS])
def test_rows_that_are_no_tokens_are_never_chosen(jobs: Jobs, layout: str) -> None:
    *_, (everything, _, _), _, (few, likeliest, _) = jobs.seen(layout, "samples")
    assert max(chain(*everything)) >= FEW > max(chain(*few, *likeliest))


@pytest.mark.parametrize("layout", ["single", *LAYOUTS])
def test_samples_change_no_bit_of_training(jobs: Jobs, layout: str) -> None:
    _, _, first, _, second, _ = jobs.seen(layout, "samples")
    assert [*first, *second] == jobs.seen(layout, "whole")[2][:4]


@every_bf16_layout
def test_samples_in_bf16_are_the_same_on_all_ranks_and_change_no_bit_of_training(jobs: Jobs, layout: str) -> None:
    _, first, _, second, (ids, likeliest, shares) = jobs.seen(layout, "bf16 samples")
    _, right_first, _, right_second, _ = jobs.seen(layout, "bf16")
    assert (first, second) == (right_first, right_second)
    assert [one[0] for one in ids] == [one[0] for one in likeliest]
    assert all(0 < sum(here) < 1 for here in shares)


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
        after = state(jobs, layout, folder, 3)
        assert {name for name, _ in after} == base.names
        for (name, kind), tensor in after.items():
            old = base.shape(name)
            if kind == "master":
                assert torch.equal(tensor[: old[0]], base.read(name, Box.whole(old))), name
            else:
                assert not tensor[: old[0]].any(), (name, kind)
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


@every_layout
def test_z_loss_moves_the_weights_and_is_not_in_the_losses(jobs: Jobs, layout: str) -> None:
    _, steps, held_out = jobs.seen(layout, "z-loss")
    _, right, right_held_out = jobs.seen("single", "z-loss")
    assert_same_steps(steps, right)
    assert_same_sums(held_out, right_held_out)
    without = jobs.seen("single", "whole")[2]
    assert right[0][0] == without[0][0]
    assert right[0][2] != pytest.approx(without[0][2], rel=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize("layout", OVERLAPPED)
def test_overlapped_reductions_and_gathering_change_no_loss(jobs: Jobs, layout: str) -> None:
    _, first, second, held_out = jobs.seen(layout, "overlap")
    _, right_first, _, right_second, right_held_out = jobs.seen(layout, "bf16")
    assert held_out == right_held_out
    for (*sums, norm, skipped), (*right, right_norm, right_skipped) in zip(
        [*first, *second], [*right_first, *right_second], strict=True
    ):
        assert (sums, skipped) == (right, right_skipped)
        assert norm == pytest.approx(right_norm, rel=1e-12)  # its float64 sum goes over other stretches


@pytest.mark.slow
def test_layers_that_are_computed_again_change_no_bit(jobs: Jobs) -> None:
    kept, again = jobs.seen("pipeline 2", "layer passes")[1], jobs.seen("recompute", "layer passes")[1]
    assert (kept, again) == (2 * 4, 2 * 2 * 4)  # layers of a stage, micro-batches
    for case in ("whole", "untied", "new rows only"):
        assert jobs.seen("recompute", case) == jobs.seen("pipeline 2", case)


@every_bf16_layout
def test_bf16_has_about_the_losses_of_fp32_and_not_the_same(jobs: Jobs, layout: str) -> None:
    _, first, _, second, held_out = jobs.seen(layout, "bf16")
    _, right_held_out, right_steps, _, _ = jobs.seen("single", "whole")
    for (nll, tokens, norm, _), (right, right_tokens, right_norm, _) in zip(
        [*first, *second], right_steps[:4], strict=True
    ):
        assert tokens == right_tokens
        assert nll == pytest.approx(right, rel=BF16_LOSS)
        assert norm == pytest.approx(right_norm, rel=BF16_NORM)
    pairs = zip([*first, *second], right_steps[:4], strict=True)
    assert any(seen[0] != pytest.approx(right[0], rel=LOSS) for seen, right in pairs)
    assert [tokens for *_, tokens in held_out] == [tokens for *_, tokens in right_held_out]


@every_bf16_layout
def test_bf16_resumes_bit_identically_from_fp32_masters(jobs: Jobs, layout: str) -> None:
    assert jobs.seen(layout, "bf16 resumed")[2:] == jobs.seen(layout, "bf16")[3:]
    assert_bitwise_equal(state(jobs, layout, "bf16 resumed", 2), state(jobs, layout, "bf16", 2))


@every_bf16_layout
def test_bf16_masters_move_by_less_than_bf16_can_tell(jobs: Jobs, layout: str) -> None:
    jobs.seen(layout, "bf16 slow")
    base = HfFolderReader(jobs.lab.root / "tied")
    moved = changed = count = 0
    for (name, kind), tensor in state(jobs, layout, "bf16 slow", 1).items():
        if kind == "master":
            old = base.read(name, Box.whole(base.shape(name)), "master")
            new = tensor[: len(old)]
            torch.testing.assert_close(new, old, rtol=0, atol=2e-7)
            moved += int((new != old).sum())
            changed += int((new.bfloat16() != old.bfloat16()).sum())
            count += old.numel()
    assert moved > 0.9 * count
    assert changed < 0.01 * count


@every_bf16_layout
def test_frozen_masters_keep_the_digits_that_bf16_has_not(jobs: Jobs, layout: str) -> None:
    jobs.seen(layout, "bf16 new rows")
    base = HfFolderReader(jobs.lab.root / "untied")
    for (name, kind), tensor in state(jobs, layout, "bf16 new rows", 1).items():
        old = base.shape(name)
        if kind == "master":
            assert torch.equal(tensor[: old[0]], base.read(name, Box.whole(old), kind)), name
        else:
            assert not tensor[: old[0]].any()
            assert tensor[old[0] :].any()


@pytest.mark.slow
@pytest.mark.parametrize(("source", "target"), MOVES)
def test_a_checkpoint_is_bitwise_the_same_after_another_layout_took_it(jobs: Jobs, source: str, target: str) -> None:
    jobs.seen(target, f"from {source}")
    assert_bitwise_equal(state(jobs, target, f"from {source}", 2), state(jobs, source, "bf16", 2))
