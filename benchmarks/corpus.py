"""Speed of the corpus stage: rules alone, deciding again, and the whole build by one worker and by two."""

from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import zstandard

from benchmarks.figures import Figures, cpu_seconds, figure
from benchmarks.rules import retune_figures, rules_figures
from benchmarks.text import japanese, other_kanji
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus

_RULES_MEGABYTES, _BUILD_MEGABYTES, _FILES, _ROUNDS = 20, 167, 8, 2
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
    """The whole build: per second of processor time, and how many times as fast two workers are by the clock."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "run.yaml").write_text(_RUN_FILE.format(root=root))
        texts = japanese(megabytes)
        size = sum(len(text.encode()) for text in texts) / 1e6
        files = _written_once_and_twice(root, texts)
        del texts
        parse = size / cpu_seconds(lambda: [_parsed(path) for path in files], rounds=1)
        rounds = iter(range(_ROUNDS + 1))
        inside = cpu_seconds(lambda: _build_here(root, f"here{next(rounds)}"), _ROUNDS)
        took = {
            (what, workers): [_build(root, workers, what, one) for one in range(_ROUNDS)]
            for what in ("text", "twice")
            for workers in (1, 2)
        }
    busy = {workers: min(one[1] for one in took["text", workers]) for workers in (1, 2)}
    build = figure(
        size / inside,
        "MB/s",
        decompress_and_parse=parse,
        a_program_of_its_own=size / busy[1],
        two_workers=size / busy[2],
    )
    wall = {case: min(one[0] for one in found) for case, found in took.items()}
    return {"corpus/build": build, "corpus/build_two_workers": _two_workers(wall, 2 * size)}


def _two_workers(wall: dict[tuple[str, int], float], megabytes: float) -> dict[str, Any]:
    """What two workers are worth for as much text again: the start is the same for any amount, and stands beside it.

    Compared by the clock are programs of their own, as users start them, so both begin with loading what they need.

    Args:
        wall: seconds for the text once and twice, by one worker and by two.
    """
    alone, together = (wall["twice", workers] - wall["text", workers] for workers in (1, 2))
    return figure(
        alone / together,
        "times",
        with_the_start=wall["twice", 1] / wall["twice", 2],
        megabytes=megabytes,
        one_worker_s=wall["twice", 1],
        two_workers_s=wall["twice", 2],
        one_worker_half_s=wall["text", 1],
        two_workers_half_s=wall["text", 2],
    )


def _written_once_and_twice(root: Path, texts: list[str]) -> list[Path]:
    """Folders `text`, and `twice` with the same and as much again in other kanji; gives the files of the first.

    There is a task per file, of the same size: a compressed file is never cut.
    """
    (root / "text").mkdir()
    (root / "twice").mkdir()
    files = []
    for number in range(_FILES):
        some = texts[number::_FILES]
        files.append(_write(root / f"text/{number}.jsonl.zst", some))
        (root / f"twice/{number}.jsonl.zst").hardlink_to(files[-1])
        _write(root / f"twice/other{number}.jsonl.zst", [text.translate(_OTHER_KANJI) for text in some])
    return files


def _write(path: Path, texts: list[str]) -> Path:
    lines = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts)
    path.write_bytes(zstandard.compress(lines))
    return path


def _parsed(path: Path) -> int:
    return len([json.loads(line) for line in zstandard.decompress(path.read_bytes()).splitlines()])


def _build(root: Path, workers: int, what: str, round_: int) -> tuple[float, float]:
    """Seconds by the clock, and of processor time of the program and its processes."""
    sets = [f"run.dir={root}/{what}-{workers}-{round_}", f"corpus.workers={workers}"]
    sets.append(f"corpus.sources.text.path={root}/{what}")
    started, before = time.perf_counter(), _processor_s()
    command = [sys.executable, "-m", "corpus", "build", str(root / "run.yaml"), *(f"--set={one}" for one in sets)]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started, _processor_s() - before


def _build_here(root: Path, name: str) -> None:
    build_corpus(load(root / "run.yaml", Run, [f"run.dir={root}/{name}", "corpus.workers=1"]))


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
