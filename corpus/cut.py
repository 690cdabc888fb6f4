"""The written plan of a corpus: which pieces of which files make one task, and so one shard."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.raw_input import RawFile
from configs.schema.corpus import Source
from corpus.read.compressed import compression_of
from corpus.read.open import format_of
from corpus.read.source import Piece

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Shard:
    """Pieces of one source that are worked on together."""

    key: str
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        """Input bytes."""
        return sum(piece.end - piece.start for piece in self.pieces)


def cut(sources: Mapping[str, Source], files: Mapping[str, Sequence[RawFile] | str], task_bytes: int) -> list[Shard]:
    """Shards in the order of the sources and of the paths in them; depends on nothing but sizes and record ends.

    Small files are bundled; a large JSONL file is cut where records end.
    """
    shards: list[Shard] = []
    for name, source in sources.items():
        found = files[name]
        if isinstance(found, str):
            shards.append(Shard(f"{name}-00000", (Piece(name, found, Path(found), 0, 0),)))
            continue
        bundles = _bundles(_pieces(name, source, found, task_bytes), task_bytes)
        shards += [Shard(f"{name}-{number:05d}", tuple(bundle)) for number, bundle in enumerate(bundles)]
    return shards


def _pieces(name: str, source: Source, files: Sequence[RawFile], task_bytes: int) -> Iterator[Piece]:
    for file in files:
        plain_jsonl = format_of(source, file.name) == "jsonl" and compression_of(file.name) is None
        bounds = _record_bounds(file, task_bytes) if plain_jsonl and file.bytes > task_bytes else [0, file.bytes]
        for start, end in itertools.pairwise(bounds):
            yield Piece(name, file.name, file.path, start, end)


def _record_bounds(file: RawFile, task_bytes: int) -> list[int]:
    bounds = [0]
    with open(file.path, "rb") as opened:
        while (target := bounds[-1] + task_bytes) < file.bytes:
            opened.seek(target - 1)
            at = target - 1
            while block := opened.read(_BLOCK):
                newline = block.find(b"\n")
                if newline >= 0:
                    at += newline + 1
                    break
                at += len(block)
            if at >= file.bytes:
                break
            bounds.append(at)
    return [*bounds, file.bytes]


def _bundles(pieces: Iterator[Piece], task_bytes: int) -> Iterator[list[Piece]]:
    bundle: list[Piece] = []
    size = 0
    for piece in pieces:
        if bundle and size + piece.end - piece.start > task_bytes:
            yield bundle
            bundle, size = [], 0
        bundle.append(piece)
        size += piece.end - piece.start
    if bundle:
        yield bundle
