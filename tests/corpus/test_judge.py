"""Judging: a costly measure is taken where the decision hangs on it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from configs.schema.preset import Rule
from corpus.batch import Batch
from corpus.judge import judge
from corpus.measures import registry
from corpus.measures.registry import Columns, measures
from corpus.rules import reason_words


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The texts of every pass over a costly measure, the length of the text."""
    monkeypatch.setattr(registry, "_GROUPS", dict(registry._GROUPS))
    passes: list[list[str]] = []

    @measures("costly", "costly_too", source="this test", when="undecided")
    def costly(batch: Batch) -> Columns:
        passes.append(batch.column("text").to_pylist())
        length_N = np.array([len(text) for text in passes[-1]], np.float64)
        return {"costly": length_N, "costly_too": -length_N}

    return passes


def rule(measure: str, **bounds: Any) -> Rule:
    """A rule whose reason is its measure."""
    return Rule(measure=measure, reason=f"bad_{measure}", source="s", **bounds)


def test_a_costly_measure_is_taken_of_what_no_other_rule_drops(
    batch_of: Callable[..., Batch], measured: list[list[str]]
) -> None:
    rules = [rule("costly", min=5), rule("lines", max=1), rule("costly_too", min=-6)]
    columns, reasons = judge(batch_of("点検の手順", "a\nb", "弁", "点検の手順を示す"), rules)
    assert measured == [["点検の手順", "弁", "点検の手順を示す"]]
    assert columns["costly"].tolist()[::2] == [5, 1]
    assert np.isnan(columns["costly"][1])
    assert reason_words(reasons, rules) == [None, "bad_lines", "bad_costly", "bad_costly_too"]


def test_where_everything_is_decided_nothing_costly_is_taken(
    batch_of: Callable[..., Batch], measured: list[list[str]]
) -> None:
    columns, _ = judge(batch_of("a\nb"), [rule("lines", max=1), rule("costly", min=5)])
    assert (measured, np.isnan(columns["costly"]).tolist()) == ([], [True])


def test_measures_that_no_rule_asks_for_are_not_taken(
    batch_of: Callable[..., Batch], measured: list[list[str]]
) -> None:
    columns, _ = judge(batch_of("点検"), [rule("top_2gram_share", max=1)])
    assert {"characters", "top_2gram_share", "repeated_10gram_share"} < set(columns)
    assert {"costly", "longest_sentence"}.isdisjoint(columns)
