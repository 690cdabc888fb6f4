"""Speed of the corpus stage: rules alone, deciding again, and the whole build by one worker and by two."""

from __future__ import annotations

import json
import logging
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zstandard

from benchmarks.figures import Figures, cpu_seconds, figure
from benchmarks.rules import retune_figures, rules_figures
from benchmarks.text import japanese, other_kanji
from benchmarks.watched import processor_s
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus

_RULES_MEGABYTES, _BUILD_MEGABYTES, _FILES, _ROUNDS = 20, 167, 8, 5
_OTHER_KANJI = other_kanji(37)
_RUN_FILE = """
run: {{name: bench, dir: {root}/run, seed: 1}}
corpus:
  sources: {{text: {{path: {root}/text, language: ja}}}}
  limits: {{task_bytes: 1_000}}
pretrain:
  base: none
  stages: {{all: {{tokens: 1, mixture: {{text: 1}}}}}}
"""


def measure() -> Figures:
    """Megabytes of text per second from JSON lines to Parquet shards, everything on."""
    logging.disable(logging.INFO)
    return {**retune_figures(), **rules_figures(_RULES_MEGABYTES), **_build_figures(_BUILD_MEGABYTES)}


def _build_figures(megabytes: int) -> Figures:
    """The whole build of twice so much: per second of processor time, and two workers against one by the clock."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "run.yaml").write_text(_RUN_FILE.format(root=root))
        texts = japanese(megabytes)
        size = 2 * sum(len(text.encode()) for text in texts) / 1e6
        files = _written_twice(root, texts)
        del texts
        parse = size / cpu_seconds(lambda: [_parsed(path) for path in files], rounds=1)
        names = iter(("warm", "here"))
        inside = cpu_seconds(lambda: _build_here(root, next(names)), rounds=1)
        # In turn, so that a machine that slows down for some minutes slows both.
        took = [{workers: _build(root, workers, f"{workers}-{one}") for workers in (1, 2)} for one in range(_ROUNDS)]
    busy = {workers: min(one[workers][1] for one in took) for workers in (1, 2)}
    build = figure(
        size / inside,
        "MB/s",
        decompress_and_parse=parse,
        a_program_of_its_own=size / busy[1],
        two_workers=size / busy[2],
    )
    return {"corpus/build": build, "corpus/build_two_workers": _two_workers(took, size)}


def _two_workers(took: Sequence[Mapping[int, tuple[float, float]]], megabytes: float) -> dict[str, Any]:
    """How many times as fast two workers are: programs of their own by the clock, as users start them, start included.

    Args:
        took: of each round the seconds by the clock, and of processor time, of one worker and of two.
    """
    wall = {workers: min(one[workers][0] for one in took) for workers in (1, 2)}
    return figure(
        wall[1] / wall[2],
        "times",
        median_of_the_rounds=statistics.median(one[1][0] / one[2][0] for one in took),
        rounds=len(took),
        megabytes=megabytes,
        one_worker_s=wall[1],
        two_workers_s=wall[2],
    )


def _written_twice(root: Path, texts: list[str]) -> list[Path]:
    """A folder `text` with the texts, and as much again in other kanji.

    There is a task per file, of about the same size: a compressed file is never cut.
    """
    (root / "text").mkdir()
    files = []
    for number in range(_FILES):
        some = texts[number::_FILES]
        files.append(_write(root / f"text/{number}.jsonl.zst", some))
        files.append(_write(root / f"text/other{number}.jsonl.zst", [text.translate(_OTHER_KANJI) for text in some]))
    return files


def _write(path: Path, texts: list[str]) -> Path:
    lines = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts)
    path.write_bytes(zstandard.compress(lines))
    return path


def _parsed(path: Path) -> int:
    return len([json.loads(line) for line in zstandard.decompress(path.read_bytes()).splitlines()])


def _build(root: Path, workers: int, name: str) -> tuple[float, float]:
    """Seconds by the clock, and of processor time of the program and its processes."""
    sets = [f"run.dir={root}/{name}", f"corpus.workers={workers}"]
    started, before = time.perf_counter(), processor_s()
    command = [sys.executable, "-m", "corpus", "build", str(root / "run.yaml"), *(f"--set={one}" for one in sets)]
    subprocess.run(command, check=True, capture_output=True)
    took = time.perf_counter() - started, processor_s() - before
    shutil.rmtree(root / name)
    return took


def _build_here(root: Path, name: str) -> None:
    build_corpus(load(root / "run.yaml", Run, [f"run.dir={root}/{name}", "corpus.workers=1"]))
