"""A few rows in which every two values of different factors meet: a pairwise selection, always the same one."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

Factors = Mapping[str, Sequence[str]]
"""The values of each factor."""

Value = tuple[str, str]
"""A factor and one of its values."""

Impossible = Callable[[Mapping[str, str]], str | None]
"""Why a row, or a part of one, cannot be; none if it can."""


def pairs(factors: Factors, impossible: Impossible, apart: Collection[tuple[str, str]] = ()) -> list[dict[str, str]]:
    """All pairs of values of different factors that are to meet, as rows of two.

    Args:
        apart: two factors each, in their order, whose values need not meet.
    """
    return [
        {one: first, other: second}
        for one, other in itertools.combinations(factors, 2)
        if (one, other) not in apart
        for first, second in itertools.product(factors[one], factors[other])
        if impossible({one: first, other: second}) is None
    ]


def cover(factors: Factors, impossible: Impossible, apart: Collection[tuple[str, str]] = ()) -> list[dict[str, str]]:
    """Rows of a value of each factor in which all `pairs` meet.

    Made greedily: a row begins with the first pair that is missing and takes, factor by factor, the value that adds
    most missing ones. That is a few rows more than the least number, which is hard to find.

    Source: the idea of AETG (Cohen et al., IEEE TSE 23(7), 1997), without its randomness.

    >>> rows = cover({"a": "12", "b": "12", "c": "12"}, lambda row: None)
    >>> [" ".join(row.values()) for row in rows]
    ['1 1 1', '1 2 2', '2 1 2', '2 2 1']
    """
    missing = {frozenset(pair.items()) for pair in pairs(factors, impossible, apart)}
    rows = []
    for pair in pairs(factors, impossible, apart):
        if frozenset(pair.items()) in missing:
            row = _completed(pair, factors, impossible, missing)
            missing -= met(row)
            rows.append(row)
    return rows


def met(row: Mapping[str, str]) -> set[frozenset[Value]]:
    """The pairs that a row brings together."""
    return {frozenset(pair) for pair in itertools.combinations(row.items(), 2)}


def _completed(
    pair: Mapping[str, str], factors: Factors, impossible: Impossible, missing: Collection[frozenset[Value]]
) -> dict[str, str]:
    row = dict(pair)
    for factor, values in factors.items():
        if factor not in row:
            possible = [value for value in values if impossible({**row, factor: value}) is None]
            row[factor] = max(possible, key=lambda value: _worth((factor, value), row, missing))
    return {factor: row[factor] for factor in factors}


def _worth(value: Value, row: Mapping[str, str], missing: Collection[frozenset[Value]]) -> tuple[int, int]:
    """How many missing pairs a value adds to a row, and could add to any."""
    now = sum(frozenset((value, other)) in missing for other in row.items())
    return now, sum(value in pair for pair in missing)
