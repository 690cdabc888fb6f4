"""Damaged files of every kind: no crash, no hang, bounded memory; each is read, or put aside with a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.mutations import mutated

REPOSITORY = Path(__file__).parents[2]


def read_all(folder: Path, first: int, last: int) -> dict[str, Any]:
    """What came of them, all read by one process."""
    command = [sys.executable, "-m", "tests.corpus.read_mutations", str(folder), str(first), str(last)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, f"status {ended.returncode} at {lines[-1:]}\n{ended.stderr[-2000:]}"
    told: dict[str, Any] = json.loads(lines[-1])
    assert len(lines) == last - first + 1
    return told


def test_two_hundred_damaged_files_are_read_or_put_aside(tmp_path: Path) -> None:
    told = read_all(tmp_path, 0, 200)
    assert told["memory_kb"] < 1_000_000
    assert told["reasons"]["documents"] > 100
    assert {"damaged", "truncated", "unsafe_name", "undecodable"} <= set(told["reasons"])


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(10))
def test_five_thousand_damaged_files_are_read_or_put_aside(tmp_path: Path, part: int) -> None:
    told = read_all(tmp_path, part * 500, (part + 1) * 500)
    assert told["memory_kb"] < 1_000_000


def test_a_number_gives_the_same_file_for_ever() -> None:
    assert [mutated(number) for number in range(0, 60, 7)] == [mutated(number) for number in range(0, 60, 7)]
