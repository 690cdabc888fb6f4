"""A shard as deduplication sees it: documents with numbers, digests and signatures.

Shapes: N documents of the shard, K values of a signature.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xxhash

from configs.errors import UserError
from corpus.batch import utf8_of
from corpus.kernels.shingles import UInt32
from corpus.kernels.utf8 import Int64
from corpus.shards import read_batches

MOST_DOCUMENTS = 2**32 - 1
"""Document numbers are four bytes on disk."""


@dataclass(frozen=True)
class Signed:
    """One shard; picklable."""

    key: str
    signatures: Path
    """Parquet: id, signature."""
    documents: Path | None
    """Parquet in the same order: id, text, content, reason; none for an existing corpus."""
    kept: tuple[Path, ...]
    """Of an existing corpus, the files whose ids count; none counts all."""
    first: int
    """Number of its first document."""
    rows: int

    def passing(self) -> Int64:
        """Rows that take part: those that passed the rules, or that the existing corpus kept."""
        if self.documents is not None:
            reason = pq.read_table(self.documents, columns=["reason"]).column("reason")
            return np.flatnonzero(pc.is_null(reason).to_numpy())
        if not self.kept:
            return np.arange(self.rows)
        ids = [batch.column("id") for batch in read_batches(self.kept, ["id"])]
        wanted = pa.chunked_array(ids, pa.string())
        have = pq.read_table(self.signatures, columns=["id"]).column("id")
        return np.flatnonzero(pc.is_in(have, value_set=wanted.combine_chunks()).to_numpy())

    def signature_blocks(self, documents: int) -> Iterator[UInt32]:
        """All signatures in order, so many documents at a time, (documents, K)."""
        with pq.ParquetFile(self.signatures) as file:
            for batch in file.iter_batches(batch_size=documents, columns=["signature"]):
                yield signature_matrix(batch.column("signature"))

    @property
    def text_bytes(self) -> int:
        """Bytes of the texts, about."""
        if self.documents is None:
            return 0
        metadata = pq.read_metadata(self.documents)
        at = metadata.schema.to_arrow_schema().get_field_index("text")
        groups = range(metadata.num_row_groups)
        return sum(metadata.row_group(group).column(at).total_uncompressed_size for group in groups)


def signature_matrix(column: pa.FixedSizeBinaryArray) -> UInt32:
    """A column of signatures as numbers, (N, K), without a copy."""
    width = column.type.byte_width
    data = np.frombuffer(column.buffers()[1], np.uint8)[column.offset * width : (column.offset + len(column)) * width]
    return data.view(np.uint32).reshape(-1, width // 4)


def signature_column(signature_NK: UInt32) -> pa.FixedSizeBinaryArray:
    """Signatures as a column, without a copy."""
    kind = pa.binary(signature_NK.shape[1] * 4)
    return pa.FixedSizeBinaryArray.from_buffers(kind, signature_NK.shape[0], [None, pa.py_buffer(signature_NK)])


def content_column(text: pa.LargeStringArray) -> pa.FixedSizeBinaryArray:
    """A digest of each text: equal texts have equal ones."""
    offsets_N1, utf8 = utf8_of(text)
    view, at = utf8.data, offsets_N1.tolist()
    return pa.array([xxhash.xxh3_128_digest(view[a:b]) for a, b in itertools.pairwise(at)], pa.binary(16))


def number(
    existing: Sequence[Path], shards: Mapping[str, tuple[Path, Path]], values: int
) -> tuple[tuple[Signed, ...], int]:
    """Give every document its number: existing corpora first, then the shards in the order of preference.

    Args:
        existing: directories of corpora, or of their folder `signatures` alone.
        shards: by key, documents and signatures; a shard without documents is left out.
        values: K of this corpus.
    Returns:
        The shards, and how many documents belong to existing corpora.
    Raises:
        UserError: if an existing corpus has signatures of another size, or there are too many documents.
    """
    found: list[tuple[str, Path, Path | None, tuple[Path, ...]]] = []
    for at, directory in enumerate(existing):
        for path in sorted((directory / "signatures").glob("*.parquet")):
            _refuse_other_signatures(path, values)
            kept = tuple(directory / part / path.name for part in ("kept", "held_out"))
            found.append((f"existing{at}-{path.stem}", path, None, kept if (directory / "kept").is_dir() else ()))
    for key, (documents, signatures) in shards.items():
        if documents.exists():
            found.append((key, signatures, documents, ()))
    signed, first, fixed = [], 0, 0
    for key, signatures, source, kept in found:
        rows = pq.read_metadata(signatures).num_rows
        signed.append(Signed(key, signatures, source, kept, first, rows))
        first += rows
        fixed = first if source is None else fixed
    if first > MOST_DOCUMENTS:
        raise UserError(f"corpus.dedup: {first:,} documents, at most {MOST_DOCUMENTS:,} are numbered; split the corpus")
    return tuple(signed), fixed


def _refuse_other_signatures(path: Path, values: int) -> None:
    width = pq.read_schema(path).field("signature").type.byte_width
    if width != values * 4:
        raise UserError(
            f"corpus.dedup.against: {path} holds signatures of {width // 4} values, this corpus makes {values} "
            f"(bands x rows); set corpus.dedup.bands and rows as they were there"
        )
