"""Measures by name: any rule uses one, and every one is stored for every document.

Shapes: N documents of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import pyarrow as pa

from corpus.batch import Batch
from corpus.kernels.utf8 import Float64

Columns: TypeAlias = dict[str, Float64]
"""float64 (N,) by name; NaN where a document has no such number."""

Compute = Callable[[Batch], Columns]

When = Literal["always", "asked", "undecided"]
"""For every document; for every one if a rule asks; if a rule asks, for those that no other rule drops."""


OwnMeasures: TypeAlias = Mapping[str, Callable[[Batch], Float64]]
"""Measures of one run, by lists that its run file names; taken of documents that no other rule drops."""


@dataclass(frozen=True)
class MeasureGroup:
    """Measures that one pass over the text gives together."""

    names: tuple[str, ...]
    compute: Compute
    source: str
    when: When


_GROUPS: dict[str, MeasureGroup] = {}


def measures(*names: str, source: str, when: When = "asked") -> Callable[[Compute], Compute]:
    """Register a function that gives these measures.

    Args:
        source: where their definition comes from.
        when: for which documents they are worth their time.
    """

    def register(compute: Compute) -> Compute:
        group = MeasureGroup(names, compute, source, when)
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


def names_for(asked: Sequence[str], when: When) -> tuple[str, ...]:
    """The measures that are taken at a time, if these are asked for; always whole passes."""
    groups = dict.fromkeys(
        _GROUPS.values() if when == "always" else (_GROUPS[name] for name in asked if name in _GROUPS)
    )
    return tuple(name for group in groups if group.when == when for name in group.names)


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
