"""One corpus shard to one token shard and the index of its packed sequences.

SHARD.bin, SHARD.idx         tokens in Megatron's format, documents in the order of the corpus shard
SHARD.sequences.npy          int64 (S + 1,): where each packed sequence's pieces begin
SHARD.pieces.npy             the pieces: document, start, length
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.artifact import Claim
from corpus.documents import documents
from pretrain.document_format import DocumentFormat
from pretrain.indexed_tokens import Tokens, token_dtype, write_documents
from pretrain.packing import pack

_BATCH = 512


@dataclass(frozen=True)
class PackArgument:
    """A shard and how it is packed."""

    shard: Path
    tokenizer: Path
    end_of_document: str | None
    seq_len: int


def pack_shard(claim: Claim, argument: PackArgument) -> dict[str, Any]:
    """Tokenise and pack a shard.

    Returns:
        Counts: documents, tokens, sequences, positions that predict something.
    """
    form = DocumentFormat.from_folder(argument.tokenizer, argument.end_of_document)
    dtype = token_dtype(form.tokenizer.size)
    lengths: list[int] = []
    name = argument.shard.stem
    written, tokens = write_documents(claim, name, _encoded(argument.shard, form, dtype, lengths), dtype)
    first_S1, pieces = pack(np.array(lengths, np.int64), argument.seq_len)
    for ending, array in (("sequences", first_S1), ("pieces", pieces)):
        with claim.file(f"{name}.{ending}.npy") as out:
            np.save(out, array, allow_pickle=False)
    return {
        "documents": written,
        "tokens": tokens,
        "sequences": len(first_S1) - 1,
        "positions": int(pieces["length"].sum(dtype=np.int64)),
    }


def _encoded(shard: Path, form: DocumentFormat, dtype: Any, lengths: list[int]) -> Iterator[Tokens]:
    batch: list[str] = []
    for _, text in documents([shard]):
        batch.append(text)
        if len(batch) == _BATCH:
            yield from _encode(batch, form, dtype, lengths)
            batch = []
    yield from _encode(batch, form, dtype, lengths)


def _encode(batch: list[str], form: DocumentFormat, dtype: Any, lengths: list[int]) -> Iterator[Tokens]:
    for ids in form.encode(batch):
        lengths.append(len(ids))
        yield np.array(ids, dtype)
