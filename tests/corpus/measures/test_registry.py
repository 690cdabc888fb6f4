"""Measures by name: each pass once, each name once, and a source for every definition."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from corpus.batch import Batch
from corpus.measures import all as _all_measures  # noqa: F401  # importing makes them known
from corpus.measures import registry
from corpus.measures.registry import Columns, known, measure, measures, names_for, source_of, table_of

MEASURES = [
    *("characters", "japanese_share", "hiragana_share", "katakana_share", "letter_share", "digit_share"),
    *("full_stops_per_100", "ellipsis_share", "replacement_share", "mojibake_share"),
    *("lines", "characters_per_line", "repeated_line_share"),
]


def test_these_measures_are_taken_whatever_the_rules_and_all_have_a_source() -> None:
    assert set(names_for([], "always")) == set(MEASURES)
    assert set(known()) > set(MEASURES)
    assert all(source_of(name).strip() for name in known())


def test_the_named_measures_are_given_in_the_order_of_the_names(batch_of: Callable[..., Batch]) -> None:
    columns = measure(batch_of("点検", "a"), ["lines", "characters"])
    assert list(columns) == ["lines", "characters"]
    assert columns["characters"].tolist() == [2.0, 1.0]


def test_every_measure_is_one_number_per_document(batch_of: Callable[..., Batch]) -> None:
    columns = measure(batch_of("点検を行う。", "", "a\na"), known())
    assert {(values.dtype.name, values.shape) for values in columns.values()} == {("float64", (3,))}


def test_a_pass_over_the_text_is_made_once(batch_of: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_GROUPS", {})
    passes = []

    @measures("first", "second", source="this test")
    def both(batch: Batch) -> Columns:
        passes.append(batch.num_rows)
        return {"first": np.zeros(batch.num_rows), "second": np.ones(batch.num_rows)}

    assert list(measure(batch_of("a", "b"), ["second", "first"])) == ["second", "first"]
    assert passes == [2]
    with pytest.raises(ValueError, match="measure 'first' is defined twice"):
        measures("first", source="again")(both)


def test_the_table_has_ids_and_null_where_there_is_no_number(batch_of: Callable[..., Batch]) -> None:
    batch = batch_of("点検", "")
    table = table_of(batch, {"share": np.array([0.5, np.nan]), "lines": np.array([1.0, 0.0])})
    assert table.column_names == ["id", "share", "lines"]
    assert table.column("id").to_pylist() == batch.column("id").to_pylist()
    assert table.column("share").to_pylist() == [0.5, None]
    assert table.column("lines").to_pylist() == [1.0, 0.0]
