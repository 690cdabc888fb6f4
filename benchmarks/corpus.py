"""Speed of the whole corpus stage on one core, beside what it cannot do without: decompressing and parsing."""

from __future__ import annotations

import json
import logging
import os
import tempfile
import time
from pathlib import Path

import zstandard

from benchmarks.figures import Figures, best_seconds, figure
from benchmarks.rules import retune_figures, rules_figures
from benchmarks.text import japanese
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus

_MEGABYTES = 20
_RUN_FILE = """
run: {{name: bench, dir: {root}/run, seed: 1}}
corpus:
  sources: {{text: {{path: {root}/text.jsonl.zst, language: ja}}}}
  workers: 1
pretrain:
  base: none
  stages: {{all: {{tokens: 1, mixture: {{text: 1}}}}}}
"""


def measure() -> Figures:
    """Megabytes of text per second from JSON lines to Parquet shards, everything on."""
    logging.disable(logging.INFO)
    others = {**retune_figures(), **rules_figures(_MEGABYTES)}
    # One core for both, so that the ratio is one of work and not of threads.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        texts = japanese(_MEGABYTES)
        lines = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts)
        compressed = zstandard.compress(lines)
        (root / "text.jsonl.zst").write_bytes(compressed)
        (root / "run.yaml").write_text(_RUN_FILE.format(root=root))
        megabytes = sum(len(text.encode()) for text in texts) / 1e6

        def build(name: str) -> float:
            started = time.perf_counter()
            build_corpus(load(root / "run.yaml", Run, [f"run.dir={root}/{name}"]))
            return time.perf_counter() - started

        build("warm")
        seconds = min(build(f"round{number}") for number in range(3))
        parse = best_seconds(lambda: [json.loads(line) for line in zstandard.decompress(compressed).splitlines()])
    return others | {"corpus/build": figure(megabytes / seconds, "MB/s", decompress_and_parse=megabytes / parse)}
