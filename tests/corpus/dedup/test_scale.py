"""A hundred million documents in four gigabytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.corpus.corpora import REPOSITORY


def run(documents: int, folder: Path, memory_gb: float) -> dict[str, float]:
    """What `scale.py` prints, from a process of its own, whose memory is its own."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("scale.py")), str(documents), str(folder), str(memory_gb)],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_every_planted_copy_is_found(tmp_path: Path) -> None:
    found = run(100_000, tmp_path, 0.02)
    assert found["removed"] == found["expected"] == 5_000
    assert found["buckets"] > 1


@pytest.mark.soak
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("millions", [12.5, 25, 50, 100])
def test_documents_by_the_million_fit_in_four_gigabytes(tmp_path: Path, millions: float) -> None:
    found = run(int(millions * 1e6), tmp_path, 3)
    sys.stdout.write(json.dumps(found) + "\n")
    assert found["removed"] == found["expected"]
    assert found["peak_gb"] < 4
