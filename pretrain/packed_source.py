"""The packed sequences of a source, opened and never loaded: a lookup reads the pieces it needs.

SHARD.PACKING.sequences.npy  int64 (S + 1,): where each packed sequence's pieces begin
SHARD.PACKING.pieces.npy     the pieces: document, start, length
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np

from configs.artifact import Artifact
from pretrain.course import Packing
from pretrain.indexed_tokens import IndexedTokens, Int64, Tokens
from pretrain.packing import Pieces
from pretrain.token_shard import TokenShard, shard_digests, shards_of


@dataclass(frozen=True)
class Stretch:
    """Consecutive tokens of one document: inputs are all but the last, labels all but the first."""

    tokens: Tokens


@dataclass(frozen=True)
class PackedShard:
    """One token shard and one packing of it."""

    tokens: TokenShard
    index: Path
    """Prefix of the packed index."""
    sequences: int

    def load_index(self) -> tuple[Int64, Pieces]:
        """The packed index, mapped."""
        first, pieces = (self.index.with_name(f"{self.index.name}.{ending}") for ending in INDEX_ENDINGS)
        return np.load(first, mmap_mode="r"), np.load(pieces, mmap_mode="r")


INDEX_ENDINGS = ("sequences.npy", "pieces.npy")


class PackedSequences:
    """All shards of one packing of one source; a shard's files are opened when first needed."""

    def __init__(self, shards: Sequence[PackedShard]) -> None:
        self.shards = tuple(shards)
        self.starts: Int64 = np.array([0, *accumulate(shard.sequences for shard in shards)], np.int64)
        self._opened: dict[int, tuple[IndexedTokens, Int64, Pieces]] = {}

    def __len__(self) -> int:
        return int(self.starts[-1])

    def sequence(self, number: int) -> list[Stretch]:
        """The documents, or parts of them, that make up one sequence."""
        shard = int(np.searchsorted(self.starts, number, side="right")) - 1
        at = number - int(self.starts[shard])
        tokens, first, pieces = self._shard(shard)
        # One token more than positions: the label of the last.
        return [
            Stretch(tokens.tokens(int(piece["document"]), int(piece["start"]), int(piece["length"]) + 1))
            for piece in pieces[int(first[at]) : int(first[at + 1])]
        ]

    def _shard(self, number: int) -> tuple[IndexedTokens, Int64, Pieces]:
        if number not in self._opened:
            shard = self.shards[number]
            self._opened[number] = (shard.tokens.open(), *shard.load_index())
        return self._opened[number]


def index_name(shard: str, packing: str) -> str:
    """Name of a shard's packed index, without ending."""
    return f"{shard}.{packing}"


def open_packings(tokens: Artifact, packed: Artifact, source: str) -> dict[str, PackedSequences]:
    """Every packing of a source, by its name."""
    packings: dict[str, PackedSequences] = {}
    for packing, sequences in packed.counts["packings"][source].items():
        packings[packing] = PackedSequences(
            [
                PackedShard(shard, packed.path(index_name(shard.name, packing)), sequences[shard.name])
                for shard in shards_of(tokens, source)
            ]
        )
    return packings


def described(tokens: Artifact, packed: Artifact, source: str) -> dict[str, Packing]:
    """What the sample plan must know of every packing of a source."""
    shards = shards_of(tokens, source)
    return {
        packing: Packing(
            packing,
            sum(sequences.values()),
            packing_digest(tokens, shards, lambda name: packed.files[name]["sha256"], packing),
        )
        for packing, sequences in packed.counts["packings"][source].items()
    }


def packing_digest(tokens: Artifact, shards: Sequence[TokenShard], sha256: Callable[[str], str], packing: str) -> str:
    """Digest over tokens, packing and order of the shards.

    Args:
        sha256: gives the digest of a file of the packed index.
    """
    digest = hashlib.sha256()
    for shard in shards:
        for one in shard_digests(tokens, shard.name):
            digest.update(one.encode())
        for ending in INDEX_ENDINGS:
            digest.update(sha256(f"{index_name(shard.name, packing)}.{ending}").encode())
    return digest.hexdigest()
