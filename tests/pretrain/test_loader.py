from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.artifact import Claim
from pretrain.batching import Batching
from pretrain.course import Packing
from pretrain.indexed_tokens import write_documents
from pretrain.loader import Loader, to_micro_batch
from pretrain.micro_batch import NO_LABEL, MicroBatch
from pretrain.pack_task import WholeArgument, pack_whole
from pretrain.packed_source import PackedSequences, PackedShard, Stretch
from pretrain.planned_stage import PlannedStage
from pretrain.sample_plan import SamplePlan
from pretrain.token_shard import TokenShard

SEQ_LEN, PADDING, PACKING = 8, 0, "8"


def packed(folder: Path, name: str, documents: list[list[int]]) -> PackedSequences:
    """A source of one shard."""
    claim = Claim(folder, "task", "digest")
    batch = np.concatenate(documents), np.array([len(document) for document in documents])
    write_documents(claim, name, [batch], np.dtype(np.uint16))
    shard = TokenShard(name, folder / name, len(documents))
    made = pack_whole(claim, WholeArgument(shard, PACKING, SEQ_LEN))
    return PackedSequences([PackedShard(shard, folder / f"{name}.{PACKING}", made["sequences"])])


def plan_of(samples: int, mixture: dict[str, float], sources: dict[str, PackedSequences], seed: int) -> SamplePlan:
    packings = {name: {PACKING: Packing(PACKING, len(source), name)} for name, source in sources.items()}
    return SamplePlan(seed, [PlannedStage(samples, mixture, SEQ_LEN)], packings)


def documents(count: int, start: int) -> list[list[int]]:
    """Documents of different lengths with distinct tokens."""
    numbers = iter(range(start, 60_000))
    return [[*(next(numbers) for _ in range(1 + (7 * k) % 13)), PADDING] for k in range(count)]


@pytest.fixture
def loader_of(tmp_path: Path) -> Callable[[int], Loader]:
    """Makes a loader over two sources."""
    sources = {
        "ja": packed(tmp_path, "ja-00000", documents(40, 1)),
        "en": packed(tmp_path, "en-00000", documents(20, 30_000)),
    }
    plan = plan_of(24, {"ja": 2, "en": 1}, sources, seed=3)

    def make(micro_batch: int) -> Loader:
        return Loader(
            plan,
            {name: {PACKING: one} for name, one in sources.items()},
            [Batching(0, 0, 8, micro_batch, SEQ_LEN)],
            PADDING,
        )

    return make


def flat(batches: list[MicroBatch]) -> torch.Tensor:
    """Tokens, labels, positions and sources of micro-batches, one after the other."""
    rows = [torch.stack([batch.tokens_T, batch.labels_T, batch.positions_T, batch.source_T]) for batch in batches]
    return torch.cat(rows, dim=1)


@pytest.mark.parametrize("ranks", [1, 2, 4])
@pytest.mark.parametrize("micro_batch", [1, 2])
def test_how_a_batch_is_cut_changes_nothing(loader_of: Callable[[int], Loader], ranks: int, micro_batch: int) -> None:
    whole = flat(loader_of(8).micro_batches(1, (0, 1)))
    loader = loader_of(micro_batch)
    parts = [flat(loader.micro_batches(1, (rank, ranks))) for rank in range(ranks)]
    assert torch.equal(torch.cat(parts, dim=1), whole)


def test_a_micro_batch_spelled_out() -> None:
    first = [Stretch(np.array([5, 6, 7, 0])), Stretch(np.array([8, 9, 0]))]
    second = [Stretch(np.array([1, 2, 3, 4, 5, 6, 7, 8, 9]))]
    batch = to_micro_batch([(first, 0), (second, 1)], SEQ_LEN, 99)
    assert batch.tokens_T.tolist() == [5, 6, 7, 8, 9, 99, 99, 99, 1, 2, 3, 4, 5, 6, 7, 8]
    assert batch.labels_T.tolist() == [6, 7, 0, 9, 0, *[NO_LABEL] * 3, 2, 3, 4, 5, 6, 7, 8, 9]
    assert batch.positions_T.tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7]
    assert batch.cu_seqlens.tolist() == [0, 3, 5, 8, 16]
    assert batch.source_T.tolist() == [0] * 8 + [1] * 8
    assert batch.labelled == 13


def test_the_end_of_a_document_is_learned_even_if_it_is_the_padding_token() -> None:
    batch = to_micro_batch([([Stretch(np.array([5, PADDING]))], 0)], SEQ_LEN, PADDING)
    assert batch.labels_T[0] == PADDING
    assert batch.labelled == 1


def test_an_epoch_has_every_token_of_every_document_once(tmp_path: Path) -> None:
    texts = documents(30, 1)
    source = packed(tmp_path, "ja-00000", texts)
    plan = plan_of(len(source), {"ja": 1}, {"ja": source}, seed=1)
    loader = Loader(plan, {"ja": {PACKING: source}}, [Batching(0, 0, 1, 1, SEQ_LEN)], PADDING)
    labels = torch.cat([loader.micro_batches(step, (0, 1))[0].labels_T for step in range(len(source))])
    expected = sorted(token for text in texts for token in text[1:])
    assert sorted(labels[labels != NO_LABEL].tolist()) == expected


def test_without_labels_nothing_is_predicted() -> None:
    batch = to_micro_batch([([Stretch(np.array([5, 6, 7, 0]))], 0)], SEQ_LEN, PADDING).without_labels()
    assert batch.labelled == 0
    assert batch.tokens_T.tolist()[:3] == [5, 6, 7]


def test_sequences_of_several_shards_are_numbered_through(tmp_path: Path) -> None:
    one, other = packed(tmp_path, "ja-00000", documents(5, 1)), packed(tmp_path, "ja-00001", documents(7, 500))
    both = PackedSequences([*one.shards, *other.shards])
    assert len(both) == len(one) + len(other)
    last = [stretch.tokens.tolist() for stretch in both.sequence(len(both) - 1)]
    assert last == [stretch.tokens.tolist() for stretch in other.sequence(len(other) - 1)]
    assert [s.tokens.tolist() for s in both.sequence(0)] == [s.tokens.tolist() for s in one.sequence(0)]
