"""Corpora of the mixed sources: how they are cut, and what is compared of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from configs.artifact import Artifact
from configs.journal import JOURNAL
from configs.schema.run import Run

RunOf = Callable[..., Run]
Rows = list[dict[str, Any]]

REPOSITORY = Path(__file__).parents[2]
SOURCES = ("manuals", "mail", "english")
SMALL_TASKS = ("corpus.limits.task_bytes=12000",)
PARTS = ("kept", "held_out", "dropped")


def rows_of(corpus: Artifact, *parts: str) -> Rows:
    """The documents of some parts."""
    return [row for part in parts for path in corpus.below(part) for row in pq.read_table(path).to_pylist()]


def bytes_of(directory: Path) -> dict[str, bytes]:
    """Everything but the journal."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name != JOURNAL)
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}
