"""Batches: ids for ever, full at a bound, and views of Arrow's own buffers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.batch import (
    BATCH_BYTES,
    BATCH_DOCUMENTS,
    SCHEMA,
    Batch,
    BatchBuilder,
    document_id,
    utf8_of,
    with_column,
    with_rows,
)


def test_an_id_depends_on_source_path_and_position_and_on_nothing_else() -> None:
    assert document_id("mail", "a.jsonl", 5) == hashlib.sha256(b"mail\0a.jsonl\x005").hexdigest()[:24]
    places = [("mail", "a", 1), ("mail", "a1", 0), ("maila", "", 1), ("mail", "a", 0), ("mai", "la", 1)]
    assert len({document_id(*place) for place in places}) == len(places)


def test_a_batch_has_the_schema_and_the_values_that_were_added() -> None:
    builder = BatchBuilder("mail", "a.jsonl", "MIT", "ja", access="internal", retention="until 2030-03-31")
    builder.add("点検", 0, "cp932", url="https://example.com", meta="{}")
    builder.add("", 7, "utf-8")
    batch = builder.take()
    assert batch is not None
    assert batch.schema == SCHEMA
    assert batch.to_pylist()[1] == {
        **{"id": document_id("mail", "a.jsonl", 7), "text": "", "source": "mail", "path": "a.jsonl", "position": 7},
        **{"url": None, "license": "MIT", "language": "ja", "encoding": "utf-8", "meta": None},
        **{"access": "internal", "retention": "until 2030-03-31"},
    }
    assert builder.take() is None


def test_a_builder_is_full_at_its_number_of_documents() -> None:
    builder = BatchBuilder("mail", "a", "", "ja")
    for position in range(BATCH_DOCUMENTS - 1):
        builder.add("x", position, "utf-8")
    assert not builder.full
    builder.add("x", BATCH_DOCUMENTS, "utf-8")
    assert builder.full
    taken = builder.take()
    assert taken is not None
    assert taken.num_rows == BATCH_DOCUMENTS
    builder.add("x", BATCH_DOCUMENTS + 1, "utf-8")
    assert not builder.full


@pytest.mark.parametrize(("characters", "full"), [(BATCH_BYTES // 3, False), (BATCH_BYTES // 3 + 1, True)])
def test_a_builder_is_full_at_its_number_of_bytes(characters: int, full: bool) -> None:
    builder = BatchBuilder("mail", "a", "", "ja")
    builder.add("x" * characters, 0, "utf-8")
    assert builder.full == full


TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), max_size=6)


@given(TEXTS, st.data())
def test_offsets_and_bytes_are_those_of_the_texts_also_of_a_part(texts: list[str], data: st.DataObject) -> None:
    column = pa.array(texts, pa.large_string())
    first = data.draw(st.integers(0, len(texts)))
    last = data.draw(st.integers(first, len(texts)))
    offsets_N1, utf8 = utf8_of(column.slice(first, last - first))
    read = [utf8[start:end].tobytes().decode() for start, end in pairwise(offsets_N1.tolist())]
    assert read == texts[first:last]


@pytest.mark.parametrize("keep", [[True, False, True], [False, False, False]], ids=["some", "none"])
def test_filtered_columns_are_read_too(keep: list[bool]) -> None:
    column = pc.filter(pa.array(["一", "", "三"], pa.large_string()), pa.array(keep))
    offsets_N1, _ = utf8_of(column)
    assert np.diff(offsets_N1).tolist() == [3] * sum(keep)


def test_a_document_without_text_is_a_bug() -> None:
    with pytest.raises(ValueError, match="a document without text"):
        utf8_of(pa.array(["x", None], pa.large_string()))


def test_other_texts_leave_the_other_columns(batch_of: Callable[..., Batch]) -> None:
    batch = batch_of("一", "二")
    changed = with_column(batch, "text", with_rows(batch.column("text"), [1], ["四"]))
    assert changed.column("text").to_pylist() == ["一", "四"]
    assert changed.schema == SCHEMA
    assert with_column(changed, "text", with_rows(changed.column("text"), [0, 1], ["一", "二"])) == batch
    assert with_column(batch, "url", pa.array(["u", None])).column("url").to_pylist() == ["u", None]
