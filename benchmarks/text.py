"""Japanese text to measure with: the shared set where it is, else the sample of the repository, repeated."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import zstandard

from corpus.decode import UndecodableError, decode

SHARED = Path("../shared/data/corpus/bench_ja.jsonl.zst")
SAMPLE = Path("configs/quickstart/inhouse")


def japanese(megabytes: int) -> list[str]:
    """Documents of about so many megabytes together."""
    if not SHARED.exists():
        sys.stderr.write(f"{SHARED} is not there: measured on the repository's sample, repeated; do not record it\n")
    texts = _shared() if SHARED.exists() else _sample()
    chosen: list[str] = []
    size, at = 0, 0
    while size < megabytes * 1_000_000:
        chosen.append(texts[at % len(texts)])
        size += len(chosen[-1].encode())
        at += 1
    return chosen


def _shared() -> list[str]:
    with open(SHARED, "rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8")
        return [json.loads(line)["text"] for _, line in zip(range(30_000), lines, strict=False)]


def _sample() -> list[str]:
    texts = []
    for path in sorted(SAMPLE.rglob("*.txt")):
        try:
            texts.append(decode(path.read_bytes()).text)
        except UndecodableError:
            continue
    return [text for text in texts if len(text) > 100]
