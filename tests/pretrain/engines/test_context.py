"""Sharing the positions of a micro-batch among the ranks of a context group."""

from __future__ import annotations

import itertools
from dataclasses import fields

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pretrain.attention import sdpa
from pretrain.attention.documents import Documents, Slice
from pretrain.micro_batch import NO_LABEL, MicroBatch

context = pytest.importorskip("pretrain.engines.megatron.context")

QUERY_HEADS, KEY_HEADS, HEAD = 4, 2, 8
lengths_of_documents = st.lists(st.integers(1, 40), min_size=1, max_size=6)


def micro_batch(lengths: list[int]) -> MicroBatch:
    """Documents of these lengths, each of a source of its own."""
    tokens = torch.arange(sum(lengths)) + 100
    return MicroBatch(
        tokens_T=tokens,
        labels_T=tokens + 1,
        positions_T=torch.cat([torch.arange(length) for length in lengths]),
        cu_seqlens=torch.tensor([0, *lengths]).cumsum(0).to(torch.int32),
        source_T=torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)),
    )


def heads(count: int, positions: int, seed: int) -> torch.Tensor:
    return torch.randn(count, positions, HEAD, generator=torch.Generator().manual_seed(seed))


def attended(
    batch: MicroBatch, ranks: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """What all ranks together make of it, in the order of the whole row."""
    out = torch.full_like(query, torch.nan)
    for rank in range(ranks):
        held = [slice(*chunk) for chunk in context.chunks(len(batch.tokens_T), rank, ranks)]
        here = torch.cat([query[:, chunk] for chunk in held], dim=1)
        part = sdpa.attend(here, key, value, context.share(batch, rank, ranks).documents)
        for chunk, piece in zip(held, part.chunk(2, dim=1), strict=True):
            out[:, chunk] = piece
    return out


@settings(deadline=None, max_examples=40)
@given(lengths_of_documents, st.sampled_from([2, 3, 4]))
def test_all_ranks_together_attend_as_one_would(lengths: list[int], ranks: int) -> None:
    batch = context.padded(micro_batch(lengths), 2 * ranks)
    positions = len(batch.tokens_T)
    query = heads(QUERY_HEADS, positions, 0)
    key, value = heads(KEY_HEADS, positions, 1), heads(KEY_HEADS, positions, 2)
    expected = sdpa.attend(query, key, value, Documents.of(batch.cu_seqlens.tolist()))
    torch.testing.assert_close(attended(batch, ranks, query, key, value), expected, rtol=1e-5, atol=1e-6)


def test_what_other_documents_and_later_positions_hold_changes_not_one_bit() -> None:
    batch = micro_batch([20, 25, 19])  # the second one lies on both ranks, in three chunks
    query, key, value = heads(QUERY_HEADS, 64, 0), heads(KEY_HEADS, 64, 1), heads(KEY_HEADS, 64, 2)
    before = attended(batch, 2, query, key, value)[:, 20:40]
    for other in (slice(0, 20), slice(40, 64)):
        key[:, other], value[:, other] = 1e30, torch.nan
    value[:, 40:45] = 1e30  # of the same document; not NaN, which even a weight of zero lets through
    assert torch.equal(attended(batch, 2, query, key, value)[:, 20:40], before)


@settings(deadline=None, max_examples=40)
@given(lengths_of_documents, st.sampled_from([2, 3, 4]))
def test_every_position_is_on_one_rank_with_all_that_belongs_to_it(lengths: list[int], ranks: int) -> None:
    batch = context.padded(micro_batch(lengths), 2 * ranks)
    shares = [context.share(batch, rank, ranks) for rank in range(ranks)]
    assert {len(share.batch.tokens_T) for share in shares} == {len(batch.tokens_T) // ranks}
    for rank, share in enumerate(shares):
        held = torch.cat([torch.arange(*chunk) for chunk in context.chunks(len(batch.tokens_T), rank, ranks)])
        for name in ("tokens_T", "labels_T", "positions_T", "source_T"):
            assert torch.equal(getattr(share.batch, name), getattr(batch, name)[held])
        bounds = itertools.pairwise(share.batch.cu_seqlens.tolist())
        for one, (begin, end) in zip(share.documents.slices, bounds, strict=True):
            assert (one.first, one.first + one.length) == (begin, end)
            assert one.begin in batch.cu_seqlens
            assert held[end - 1] == one.end - 1


@pytest.mark.parametrize("ranks", [2, 3, 8])
def test_of_one_long_document_every_rank_has_equally_many_scores(ranks: int) -> None:
    batch = micro_batch([48])
    scores = set()
    for rank in range(ranks):
        slices = context.share(batch, rank, ranks).documents.slices
        scores.add(sum(one.length * (one.end - one.begin) - one.length * (one.length - 1) // 2 for one in slices))
    assert scores == {48 * 49 // 2 // ranks}


def test_one_rank_alone_has_the_whole_row_as_it_is() -> None:
    batch = micro_batch([3, 5])
    share = context.share(batch, 0, 1)
    assert share.batch is batch
    assert share.documents.whole
    assert share.documents.slices == (Slice(0, 3, 0, 3), Slice(3, 5, 3, 8))


@pytest.mark.parametrize(("length", "padded"), [(16, 16), (17, 20), (15, 16)])
def test_padding_is_a_document_of_its_own_without_labels(length: int, padded: int) -> None:
    batch = micro_batch([length - 4, 4])
    longer = context.padded(batch, 4)
    assert len(longer.tokens_T) == padded
    for field in fields(batch):
        before, after = getattr(batch, field.name), getattr(longer, field.name)
        assert torch.equal(after[: len(before)], before)
        assert after.dtype == before.dtype
    assert (longer.labels_T[length:] == NO_LABEL).all()
    assert longer.positions_T[length:].tolist() == list(range(padded - length))
    assert longer.cu_seqlens.unique().tolist() == sorted({0, length - 4, length, padded})
    assert longer.source_T.unique().tolist() == batch.source_T.unique().tolist()
