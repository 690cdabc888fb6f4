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

import zstandard

from benchmarks.figures import Figures, cpu_seconds, figure
from benchmarks.rules import retune_figures, rules_figures
from benchmarks.text import japanese
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus

_RULES_MEGABYTES, _BUILD_MEGABYTES, _FILES, _ROUNDS = 20, 167, 8, 2
_FIRST, _LAST = 0x4E00, 0x9F00
_OTHER_KANJI = {point: _FIRST + (point - _FIRST + 37) % (_LAST - _FIRST) for point in range(_FIRST, _LAST)}
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
    """The whole build: per second of processor time, and how many times as fast two workers are by the clock.

    What is compared by the clock are programs of their own, as users start them, so both begin with loading what they
    need. There is a task per file, of the same size: a compressed file is never cut. What two workers are worth is said
    of as much text again, with other kanji: the start is the same for any amount, and stands beside it.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "run.yaml").write_text(_RUN_FILE.format(root=root))
        texts = japanese(megabytes)
        size = sum(len(text.encode()) for text in texts) / 1e6
        (root / "text").mkdir()
        files = [_write(root / f"text/{number}.jsonl.zst", texts[number::_FILES]) for number in range(_FILES)]
        parse = size / cpu_seconds(lambda: [_parsed(path) for path in files], rounds=1)
        rounds = iter(range(_ROUNDS + 1))
        inside = cpu_seconds(lambda: _build_here(root, f"here{next(rounds)}"), _ROUNDS)
        (root / "twice").mkdir()
        for number, path in enumerate(files):
            (root / "twice" / path.name).hardlink_to(path)
            others = [text.translate(_OTHER_KANJI) for text in texts[number::_FILES]]
            _write(root / f"twice/other{number}.jsonl.zst", others)
        del texts, others
        took = {
            (what, workers): [_build(root, workers, what, one) for one in range(_ROUNDS)]
            for what in ("text", "twice")
            for workers in (1, 2)
        }
    wall = {case: min(one[0] for one in found) for case, found in took.items()}
    busy = {case: min(one[1] for one in found) for case, found in took.items()}
    alone, together = (wall["twice", workers] - wall["text", workers] for workers in (1, 2))
    return {
        "corpus/build": figure(
            size / inside,
            "MB/s",
            decompress_and_parse=parse,
            a_program_of_its_own=size / busy["text", 1],
            two_workers=size / busy["text", 2],
        ),
        "corpus/build_two_workers": figure(
            alone / together,
            "times",
            with_the_start=wall["twice", 1] / wall["twice", 2],
            megabytes=2 * size,
            one_worker_s=wall["twice", 1],
            two_workers_s=wall["twice", 2],
            one_worker_half_s=wall["text", 1],
            two_workers_half_s=wall["text", 2],
        ),
    }


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
