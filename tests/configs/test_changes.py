"""What differs between two plans."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.changes import changed_config, changed_files, inputs_file
from configs.raw_input import find_files


@pytest.mark.parametrize(
    ("before", "after", "changes"),
    [
        pytest.param({"a": 1}, {"a": 1}, [], id="nothing"),
        pytest.param({"a": 1}, {"a": 2}, ["a: 1 -> 2"], id="a value"),
        pytest.param({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c: 2 -> 3"], id="below"),
        pytest.param({"a": {"b": 1}}, {"a": None}, ['a: {"b": 1} -> null'], id="a section for nothing"),
        pytest.param({}, {"a": "文"}, ['a: null -> "文"'], id="a new key"),
        pytest.param({"b": 1, "a": 1}, {"b": 2, "a": 2}, ["a: 1 -> 2", "b: 1 -> 2"], id="by name"),
        pytest.param({"a": [1, 2]}, {"a": [2, 1]}, ["a: [1, 2] -> [2, 1]"], id="order of a list"),
        pytest.param({"a": True}, {"a": False}, ["a: true -> false"], id="yes and no"),
    ],
)
def test_every_value_that_differs_is_told(before: Any, after: Any, changes: list[str]) -> None:
    assert changed_config(before, after) == changes


PLANS = st.dictionaries(
    st.sampled_from("abc"),
    st.integers(0, 2) | st.none() | st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), min_size=1, max_size=2),
    max_size=3,
)


def without_nothing(plan: dict[str, Any]) -> dict[str, Any]:
    """A key without a value says as much as no key."""
    return {key: value for key, value in plan.items() if value is not None}


@given(PLANS, PLANS)
def test_plans_without_changes_are_equal(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert (changed_config(before, after) == []) == (without_nothing(before) == without_nothing(after))


def listed(directory: Path, pieces: list[tuple[str, int, int, bytes]]) -> None:
    """Leave the listing of what was read."""
    path = directory / inputs_file("web")
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        {"name": name, "start": start, "end": end, "sha256": hashlib.sha256(content).hexdigest()}
        for name, start, end, content in pieces
    ]
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")


@pytest.mark.parametrize("name", ["a.txt", "議事録.txt", "line\u2028end.txt", "next\x85line.txt"], ids=ascii)
def test_a_touched_file_is_compared_piece_by_piece(tmp_path: Path, name: str) -> None:
    (tmp_path / "raw").mkdir()
    raw = tmp_path / "raw" / name
    raw.write_bytes(b"abcdef")
    before = {file.name: file.identity() for file in find_files(str(tmp_path / "raw"), what="raw")}
    listed(tmp_path, [(name, 4, 6, b"ef"), (name, 2, 4, b"cd"), (name, 0, 2, b"ab")])
    os.utime(raw, ns=(1, 1))
    assert changed_files("web", before, find_files(str(tmp_path / "raw"), what="raw"), tmp_path) == []
    raw.write_bytes(b"abcdeX")
    os.utime(raw, ns=(1, 1))
    now = find_files(str(tmp_path / "raw"), what="raw")
    assert changed_files("web", before, now, tmp_path) == [f"web changed {name!r}"]


def test_a_touched_file_that_was_never_read_counts_as_changed(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_bytes(b"abc")
    before = {"a.txt": {"bytes": 3, "mtime_ns": 0}}
    now = find_files(str(tmp_path / "raw"), what="raw")
    assert changed_files("web", before, now, tmp_path) == ["web changed 'a.txt'"]
