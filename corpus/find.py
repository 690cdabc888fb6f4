"""Where the documents of a finished corpus are, by their ids: whatever became of them, and never their text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.artifact import Artifact

KEPT, HELD_OUT = "kept", "held_out"
_PARTS = (KEPT, HELD_OUT, "dropped")
_COLUMNS = ("id", "source", "path", "position")


@dataclass(frozen=True)
class Found:
    """A document of the corpus."""

    id: str
    source: str
    path: str
    """As the source's files are named."""
    position: int
    """Where in the file: byte offset, record or row number."""
    state: str
    """kept, held_out, or the reason why it was dropped."""
    survivor: str | None
    """Id of the document that it was dropped for as a duplicate."""
    shard: str
    row: int
    """Among the documents of the shard's file, from 0."""


def find_documents(corpus: Artifact, ids: Collection[str]) -> dict[str, Found]:
    """The documents with these ids, by id; an id that the corpus has not is left out."""
    wanted = pa.array(sorted(set(ids)), pa.string())
    found: dict[str, Found] = {}
    for part in _PARTS:
        for path in corpus.below(part):
            # Only the ids of a shard are read, and the other columns where one is met.
            with pq.ParquetFile(path) as file:
                rows = pc.indices_nonzero(pc.is_in(file.read(["id"]).column("id"), wanted)).to_pylist()
                if not rows:
                    continue
                columns = [*_COLUMNS, *(name for name in ("reason", "survivor") if name in file.schema_arrow.names)]
                for row, values in zip(rows, file.read(columns).take(rows).to_pylist(), strict=True):
                    found[values["id"]] = _described(values, part, path.stem, row)
    return found


def _described(values: dict[str, Any], part: str, shard: str, row: int) -> Found:
    return Found(
        **{name: values[name] for name in _COLUMNS},
        state=values.get("reason") or part,
        survivor=values.get("survivor"),
        shard=shard,
        row=row,
    )
