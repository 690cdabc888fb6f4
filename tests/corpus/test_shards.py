"""Shards: whole or not at all, nothing for no rows, the same bytes every time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.artifact import Claim, build
from corpus.batch import BATCH_DOCUMENTS, SCHEMA, Batch
from corpus.shards import ShardWriter, read_batches


def claim_in(directory: Path) -> Claim:
    """The right to write."""
    claim = build(directory, kind="k", version=1, config={}, inputs={}).task("t")
    assert isinstance(claim, Claim)
    return claim


def test_what_was_written_is_read_in_order(tmp_path: Path, batch_of: Callable[..., Batch]) -> None:
    claim = claim_in(tmp_path)
    with ShardWriter(claim, "kept/a.parquet") as writer:
        writer.add(batch_of("一", "二"))
        writer.add(batch_of("x").slice(0, 0))
        writer.add(batch_of("三"))
    batches = list(read_batches([tmp_path / "kept/a.parquet"]))
    assert [text for batch in batches for text in batch.column("text").to_pylist()] == ["一", "二", "三"]
    assert batches[0].schema.equals(SCHEMA)
    path = tmp_path / "kept/a.parquet"
    assert claim.written["kept/a.parquet"]["bytes"] == path.stat().st_size
    assert pq.ParquetFile(path).metadata.row_group(0).column(1).compression == "ZSTD"


def test_columns_may_be_chosen_and_shards_that_were_never_written_have_no_rows(
    tmp_path: Path, batch_of: Callable[..., Batch]
) -> None:
    with ShardWriter(claim_in(tmp_path), "a.parquet") as writer:
        writer.add(batch_of("一"))
    paths = [tmp_path / "none.parquet", tmp_path / "a.parquet"]
    assert [batch.to_pylist() for batch in read_batches(paths, ["text"])] == [[{"text": "一"}]]


def test_a_shard_without_rows_is_not_written(tmp_path: Path, batch_of: Callable[..., Batch]) -> None:
    claim = claim_in(tmp_path)
    with ShardWriter(claim, "a.parquet") as writer:
        writer.add(batch_of("x").slice(0, 0))
    assert not (tmp_path / "a.parquet").exists()
    assert claim.written == {}


def test_an_error_leaves_no_shard(tmp_path: Path, batch_of: Callable[..., Batch]) -> None:
    def fail() -> None:
        with ShardWriter(claim_in(tmp_path), "kept/a.parquet") as writer:
            writer.add(batch_of("一"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_large_shard_is_read_batch_by_batch(tmp_path: Path) -> None:
    with ShardWriter(claim_in(tmp_path), "a.parquet") as writer:
        writer.add(pa.table({"n": range(2 * BATCH_DOCUMENTS + 1)}))
    sizes = [batch.num_rows for batch in read_batches([tmp_path / "a.parquet"])]
    assert sum(sizes) == 2 * BATCH_DOCUMENTS + 1
    assert max(sizes) == BATCH_DOCUMENTS


def test_the_same_rows_are_the_same_bytes(tmp_path: Path, batch_of: Callable[..., Batch]) -> None:
    for directory in ("one", "other"):
        with ShardWriter(claim_in(tmp_path / directory), "a.parquet") as writer:
            writer.add(batch_of("一", "二"))
    assert (tmp_path / "one/a.parquet").read_bytes() == (tmp_path / "other/a.parquet").read_bytes()
