"""The packed index of one token shard, of a whole source or of what an epoch had left of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from configs.artifact import Claim
from pretrain.packed_source import INDEX_ENDINGS, PackedShard, index_name
from pretrain.packing import Pieces, joined, pack, pack_spans
from pretrain.sample_plan import Remainder
from pretrain.token_shard import TokenShard


@dataclass(frozen=True)
class WholeArgument:
    """A token shard and how it is packed."""

    tokens: TokenShard
    packing: str
    seq_len: int


@dataclass(frozen=True)
class RestArgument:
    """A packed shard, what is left of the source it belongs to, and how that is packed."""

    shard: PackedShard
    first: int
    """Number of the shard's first sequence among those of the source."""
    remainder: Remainder
    packing: str
    seq_len: int


def pack_whole(claim: Claim, argument: WholeArgument) -> dict[str, Any]:
    """Pack a shard.

    Returns:
        Counts: sequences, positions that predict something; and the digests of the files.
    """
    first_S1, pieces = pack(argument.tokens.lengths(), argument.seq_len)
    pieces["document"] += argument.tokens.first
    return _write(claim, index_name(argument.tokens.name, argument.packing), first_S1, pieces)


def pack_rest(claim: Claim, argument: RestArgument) -> dict[str, Any]:
    """Pack what is left of a shard; gives what `pack_whole` gives."""
    first_S1, pieces = argument.shard.load_index()
    left_S = [argument.remainder.holds(argument.first + number) for number in range(argument.shard.sequences)]
    left = pieces[np.repeat(np.array(left_S, bool), np.diff(first_S1))]
    name = index_name(argument.shard.tokens.name, argument.packing)
    return _write(claim, name, *pack_spans(joined(left), argument.seq_len))


def _write(claim: Claim, name: str, first_S1: Any, pieces: Pieces) -> dict[str, Any]:
    for ending, array in zip(INDEX_ENDINGS, (first_S1, pieces), strict=True):
        with claim.file(f"{name}.{ending}") as out:
            np.save(out, array, allow_pickle=False)
    return {
        "sequences": len(first_S1) - 1,
        "positions": int(pieces["length"].sum(dtype=np.int64)),
        "sha256": {file: record["sha256"] for file, record in claim.written.items()},
    }
