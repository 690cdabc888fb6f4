"""In bfloat16 with float32 masters, every layout that megatron-core and ZeRO of three ranks have, and `single`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import HfFolderReader
from tests.pretrain.engines.conftest import LAYOUTS, MOVES, OVERLAPPED
from tests.pretrain.engines.same import LOSS, assert_bitwise_equal, state

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Jobs

BF16_LOSS, BF16_NORM = 1e-3, 2e-2
"""Relative differences allowed between bf16 and fp32; bfloat16 has 8 bits, and a weight's is 2⁻⁹ off."""

every_bf16_layout = pytest.mark.parametrize(
    "layout",
    ["single", *(name for name, (engine, ranks, _) in LAYOUTS.items() if engine == "megatron" or ranks == 3)],
)

# The first test of a layout waits for the cases of all that are alike.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@every_bf16_layout
def test_samples_in_bf16_are_the_same_on_all_ranks_and_change_no_bit_of_training(jobs: Jobs, layout: str) -> None:
    _, first, _, second, (ids, likeliest, shares) = jobs.seen(layout, "bf16 samples")
    _, right_first, _, right_second, _ = jobs.seen(layout, "bf16")
    assert (first, second) == (right_first, right_second)
    assert [one[0] for one in ids] == [one[0] for one in likeliest]
    assert all(0 < sum(here) < 1 for here in shares)


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


@pytest.mark.parametrize(("source", "target"), MOVES)
def test_a_checkpoint_is_bitwise_the_same_after_another_layout_took_it(jobs: Jobs, source: str, target: str) -> None:
    jobs.seen(target, f"from {source}")
    assert_bitwise_equal(state(jobs, target, f"from {source}", 2), state(jobs, source, "bf16", 2))
