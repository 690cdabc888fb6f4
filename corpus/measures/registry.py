"""Measures by name: any rule uses one, and every one is stored for every document.

Shapes: N documents of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa

from corpus.batch import Batch
from corpus.kernels.utf8 import Float64

Columns: TypeAlias = dict[str, Float64]
"""float64 (N,) by name; NaN where a document has no such number."""

Compute = Callable[[Batch], Columns]


@dataclass(frozen=True)
class MeasureGroup:
    """Measures that one pass over the text gives together."""

    names: tuple[str, ...]
    compute: Compute
    source: str


_GROUPS: dict[str, MeasureGroup] = {}


def measures(*names: str, source: str) -> Callable[[Compute], Compute]:
    """Register a function that gives these measures.

    Args:
        source: where their definition comes from.
    """

    def register(compute: Compute) -> Compute:
        group = MeasureGroup(names, compute, source)
        for name in names:
            if name in _GROUPS:
                raise ValueError(f"measure {name!r} is defined twice")
            _GROUPS[name] = group
        return compute

    return register


def known() -> tuple[str, ...]:
    """All measures, in the order of their definition."""
    return tuple(_GROUPS)


def source_of(name: str) -> str:
    """Where the definition of a measure comes from."""
    return _GROUPS[name].source


def measure(batch: Batch, names: Sequence[str]) -> Columns:
    """Compute the named measures, each pass over the text once."""
    columns: Columns = {}
    for group in dict.fromkeys(_GROUPS[name] for name in names):
        columns.update(group.compute(batch))
    return {name: columns[name] for name in names}


def table_of(batch: Batch, columns: Columns) -> pa.Table:
    """Measures beside the ids of their documents; NaN becomes null."""
    arrays = [pa.array(values, from_pandas=True) for values in columns.values()]
    return pa.Table.from_arrays([batch.column("id"), *arrays], names=["id", *columns])
