"""The packed sequences of a source, opened and never loaded: a lookup reads the pieces it needs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.artifact import Artifact
from pretrain.indexed_tokens import IndexedTokens, Int64, Tokens
from pretrain.sample_plan import PackedSource


@dataclass(frozen=True)
class Stretch:
    """Consecutive tokens of one document: inputs are all but the last, labels all but the first."""

    tokens: Tokens


class PackedSequences:
    """All shards of one source.

    Args:
        prefixes: paths of the shards without ending, in order.
    """

    def __init__(self, prefixes: Sequence[Path]) -> None:
        self._tokens = [IndexedTokens(prefix) for prefix in prefixes]
        self._first = [np.load(prefix.with_name(f"{prefix.name}.sequences.npy"), mmap_mode="r") for prefix in prefixes]
        self._pieces = [np.load(prefix.with_name(f"{prefix.name}.pieces.npy"), mmap_mode="r") for prefix in prefixes]
        self._starts: Int64 = np.concatenate(([0], np.cumsum([len(first) - 1 for first in self._first])))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def sequence(self, number: int) -> list[Stretch]:
        """The documents, or parts of them, that make up one sequence."""
        shard = int(np.searchsorted(self._starts, number, side="right")) - 1
        at = number - int(self._starts[shard])
        first: Any = self._first[shard]
        pieces = self._pieces[shard][int(first[at]) : int(first[at + 1])]
        tokens = self._tokens[shard]
        # One token more than positions: the label of the last.
        return [
            Stretch(tokens.tokens(int(piece["document"]), int(piece["start"]), int(piece["length"]) + 1))
            for piece in pieces
        ]


def open_sources(artifact: Artifact, names: Sequence[str]) -> dict[str, PackedSequences]:
    """The packed sequences of some sources of a tokens directory."""
    return {name: PackedSequences(_prefixes(artifact, name)) for name in names}


def planned_source(artifact: Artifact, name: str, sequences: int) -> PackedSource:
    """What the sample plan must know of a source: its digest covers tokens, packing and order of the shards."""
    digest = hashlib.sha256()
    for prefix in _prefixes(artifact, name):
        for ending in ("bin", "idx", "sequences.npy", "pieces.npy"):
            digest.update(artifact.files[f"{prefix.name}.{ending}"]["sha256"].encode())
    return PackedSource(sequences, digest.hexdigest())


def _prefixes(artifact: Artifact, name: str) -> list[Path]:
    indices = sorted(file for file in artifact.files if file.endswith(".idx"))
    return [artifact.path(file.removesuffix(".idx")) for file in indices if file.rsplit("-", 1)[0] == name]
