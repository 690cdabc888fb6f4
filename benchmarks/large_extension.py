"""Extending by much text, as the command line does it: how long by two processes, how much of it MeCab, which memory.

The base is a real one, Mistral's: SentencePiece, which the library encodes text by text, so the slowest of the kinds.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.figures import Figures, figure
from benchmarks.text import ever_new
from benchmarks.tokenizers_of import mistral, write_folder
from benchmarks.watched import watch
from tokenizer.units import morpheme_cuts

_NEW_TOKENS, _PROCESSES = 8_000, 2
_SECONDS_PER_GIGABYTE, _MOST_GIGABYTES_OF_MEMORY = 1500, 4
# Of less text it is the start that takes the time.
_TELLING_GIGABYTES = 0.1
_MECAB_MEGABYTES = 5


def large_extension_figures(gigabytes: float) -> Figures:
    """`tsugiki tokenizer extend --base … --text … --add 8000` of so much text."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        megabytes = _write(root / "text.jsonl", ever_new(1000 * gigabytes))
        base = write_folder(root / "base", mistral(), end="</s>")
        options = {"--base": base, "--text": root / "text.jsonl", "--add": _NEW_TOKENS, "--out": root / "out"}
        words = [word for option, value in options.items() for word in (option, str(value))]
        command = [sys.executable, "-m", "tokenizer", "extend", *words, f"--workers={_PROCESSES}", "--json"]
        done = watch(command)
        if done.exit_code != 0:
            raise SystemExit(done.stderr)
        counts = json.loads(done.stdout)
    telling = gigabytes >= _TELLING_GIGABYTES
    analysis = megabytes * _mecab_seconds_per_megabyte()
    units = counts["learned_from"]
    return {
        "tokenizer/seconds_per_gigabyte": figure(
            1000 * done.seconds / megabytes,
            "s",
            gigabytes=megabytes / 1000,
            of_processor=1000 * done.processor_s / megabytes,
            mecab_alone_by_two=1000 * analysis / megabytes / _PROCESSES,
            **({"limit": _SECONDS_PER_GIGABYTE} if telling else {}),
        ),
        "tokenizer/learning_speed": figure(megabytes / done.seconds, "MB/s", mecab_by_one=megabytes / analysis),
        "tokenizer/mecab_share": figure(analysis / done.processor_s, "share"),
        "tokenizer/peak_memory": figure(
            done.peak_bytes / 1e9,
            "GB",
            limit=_MOST_GIGABYTES_OF_MEMORY,
            million_units=units["units"] / 1e6,
            least_count=units["least_count"],
        ),
    }


def _write(path: Path, texts: Iterable[str]) -> float:
    """Write JSON lines; gives megabytes of text."""
    size = 0
    with path.open("w", encoding="utf-8") as out:
        for text in texts:
            out.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
            size += len(text.encode())
    return size / 1e6


def _mecab_seconds_per_megabyte() -> float:
    """Processor time of one core for the analysis alone."""
    texts = list(ever_new(_MECAB_MEGABYTES))
    morpheme_cuts(texts[0])
    started = time.process_time()
    for text in texts:
        morpheme_cuts(text)
    return (time.process_time() - started) / sum(len(text.encode()) for text in texts) * 1e6
