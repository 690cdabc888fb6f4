"""Every layout of every engine computes what `single` computes, from the same files."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING

import pytest
import torch

from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.engines.base import Kind
from tests.pretrain.engines.conftest import FEW, QUICK
from tests.pretrain.engines.conftest import LAYOUTS as OF_SEVERAL
from tests.pretrain.engines.same import STATE, assert_bitwise_equal, assert_same_steps, assert_same_sums, state

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Jobs

LAYOUTS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in OF_SEVERAL]
every_layout = pytest.mark.parametrize("layout", LAYOUTS)

# The first test of a layout waits for the cases of all that are alike.
pytestmark = pytest.mark.timeout(1800)


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
def test_layers_that_are_computed_again_change_no_bit(jobs: Jobs) -> None:
    kept, again = jobs.seen("pipeline 2", "layer passes")[1], jobs.seen("recompute", "layer passes")[1]
    assert (kept, again) == (2 * 4, 2 * 2 * 4)  # layers of a stage, micro-batches
    for case in ("whole", "untied", "new rows only"):
        assert jobs.seen("recompute", case) == jobs.seen("pipeline 2", case)
