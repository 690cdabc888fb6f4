"""Builds of megabytes by two processes: killed twenty times, and ten times as much text in the same memory."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
import zstandard

from tests.corpus.corpora import REPOSITORY, bytes_of
from tests.corpus.shared_texts import all_texts

RUN = """
run: {{name: large, dir: {root}/run, seed: 1}}
corpus:
  workers: {workers}
  sources: {{text: {{path: {text}, language: ja}}}}
  limits: {{task_bytes: 1_000}}
  dedup: {{memory_gb: 0.05}}
pretrain: {{base: none, stages: {{all: {{tokens: 1, mixture: {{text: 1}}}}}}}}
"""


FIRST, LAST = 0x4E00, 0x9F00


def written(folder: Path, files: int, documents: int) -> Path:
    """Real Japanese texts, a task each file: of equal size, and other kanji in each."""
    folder.mkdir()
    texts = list(islice(all_texts(), documents))
    for number in range(files):
        kanji = {point: FIRST + (point - FIRST + 37 * number) % (LAST - FIRST) for point in range(FIRST, LAST)}
        records = ({"text": text.translate(kanji)} for text in texts)
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (folder / f"{number}.jsonl.zst").write_bytes(zstandard.compress(lines.encode()))
    return folder


def start(root: Path, text: Path, workers: int) -> subprocess.Popen[bytes]:
    """A build as users start it."""
    root.mkdir(exist_ok=True)
    (root / "run.yaml").write_text(RUN.format(root=root, text=text, workers=workers))
    return subprocess.Popen(
        [sys.executable, "-m", "corpus", "build", str(root / "run.yaml")],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_killed_at_twenty_moments_and_run_again_not_a_byte_is_different(tmp_path: Path) -> None:
    text = written(tmp_path / "text", 8, 400)
    began = time.monotonic()
    assert start(tmp_path / "whole", text, 2).wait() == 0
    took = time.monotonic() - began
    whole = bytes_of(tmp_path / "whole" / "run" / "corpus")
    moments = random.Random(20)
    killed = 0
    for number in range(20):
        program = start(tmp_path / str(number), text, 2)
        time.sleep(moments.uniform(0.1, 1) * took)
        program.send_signal(signal.SIGKILL)
        killed += program.wait() == -signal.SIGKILL
        assert start(tmp_path / str(number), text, 2).wait() == 0
        assert bytes_of(tmp_path / str(number) / "run" / "corpus") == whole
    assert killed > 10


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ten_times_the_text_takes_the_same_memory(tmp_path: Path) -> None:
    peaks = []
    for files in (1, 10):
        root = tmp_path / str(files)
        program = start(root, written(tmp_path / f"text{files}", files, 1_500), 1)
        _, program.returncode, used = os.wait4(program.pid, 0)
        assert program.returncode == 0
        peaks.append(used.ru_maxrss * 1024)
    sys.stdout.write(json.dumps({"peaks": peaks}) + "\n")
    assert peaks[1] < 1.25 * peaks[0]
