from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from configs.artifact import Claim
from configs.errors import UserError
from pretrain.indexed_tokens import IndexedTokens, Int64, Tokens, token_dtype, write_documents

DOCUMENTS = [[5, 6, 7, 0], [], [9, 0], [65_000, 1, 2, 3, 0]]


def batch_of(documents: list[list[int]]) -> tuple[Tokens, Int64]:
    """Tokens of documents, one after the other, and their numbers."""
    return np.array([token for document in documents for token in document]), np.array(list(map(len, documents)))


@pytest.fixture(params=[np.uint16, np.int32], ids=["two bytes", "four bytes"])
def prefix(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A written pair of files."""
    claim = Claim(tmp_path, "task", "digest")
    batches = [batch_of(DOCUMENTS[:3]), batch_of(DOCUMENTS[3:])]
    assert write_documents(claim, "web-00000", batches, np.dtype(request.param)) == (4, 11)
    return tmp_path / "web-00000"


def test_documents_come_back(prefix: Path) -> None:
    opened = IndexedTokens(prefix)
    assert len(opened) == 4
    assert opened.lengths().tolist() == [4, 0, 2, 5]
    assert [opened.tokens(k, 0, len(DOCUMENTS[k])).tolist() for k in range(4)] == DOCUMENTS
    assert opened.tokens(3, 1, 3).tolist() == [1, 2, 3]


def test_megatron_reads_the_same(prefix: Path) -> None:
    indexed_dataset = pytest.importorskip(
        "megatron.core.datasets.indexed_dataset", reason="megatron-core is not installed"
    )
    dataset = indexed_dataset.IndexedDataset(str(prefix), mmap=True)
    assert len(dataset) == 4
    assert [dataset[k].tolist() for k in range(4)] == DOCUMENTS
    assert dataset.document_indices.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("vocabulary", "bytes_"), [(65_499, 2), (65_500, 4)], ids=["just fits", "one more"])
def test_small_vocabularies_take_two_bytes(vocabulary: int, bytes_: int) -> None:
    assert token_dtype(vocabulary).itemsize == bytes_


def test_a_source_without_documents_has_no_tokens(tmp_path: Path) -> None:
    assert write_documents(Claim(tmp_path, "task", "digest"), "none", [], np.dtype(np.uint16)) == (0, 0)
    assert len(IndexedTokens(tmp_path / "none")) == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda p: p.with_suffix(".bin").unlink(), r"web-00000\.bin: does not exist", id="no tokens"),
        pytest.param(
            lambda p: _cut(p.with_suffix(".bin"), 3), r"bytes, its index says .*; truncated\?", id="cut tokens"
        ),
        pytest.param(lambda p: _cut(p.with_suffix(".idx"), 30), r"web-00000\.idx: truncated", id="cut index"),
        pytest.param(lambda p: _cut(p.with_suffix(".idx"), 90), r"web-00000\.idx: truncated", id="cut header"),
        pytest.param(
            lambda p: _flip(p.with_suffix(".idx")), "is no token index of Megatron's format", id="another file"
        ),
    ],
)
def test_damaged_files_are_named(prefix: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(prefix)
    with pytest.raises(UserError, match=message):
        IndexedTokens(prefix)


def _cut(path: Path, by: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: max(len(content) - by, 0)])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
