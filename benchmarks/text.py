"""Japanese text to measure with: the shared set where it is, else the sample of the repository, repeated."""

from __future__ import annotations

import io
import itertools
import json
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard

from corpus.decode import UndecodableError, decode

SHARED = Path("../shared/data/corpus/bench_ja.jsonl.zst")
SAMPLE = Path("configs/quickstart/inhouse")

_FIRST_KANJI, _LAST_KANJI = 0x4E00, 0x9F00
_SHIFT, _SEED = 37, 20
_SENTENCE = re.compile(r"[^。\n]*(?:。|\n|$)")
# Documents whose sentences are put into another order together.
_TOGETHER = 200


def other_kanji(shift: int) -> dict[int, int]:
    """For `str.translate`: every kanji becomes the one that stands so many places further, the last ones the first."""
    first, last = _FIRST_KANJI, _LAST_KANJI
    return {point: first + (point - first + shift) % (last - first) for point in range(first, last)}


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


def ever_new(megabytes: float) -> Iterator[str]:
    """Documents of about so many megabytes together, of which no two are equal, and ever new words in them.

    First come the shared ones as they are. Whoever asks for more gets their sentences in another order, in documents
    as long as before, and every kanji exchanged for another, differently in each round: as many words again, where more
    real text would bring ever fewer.
    """
    texts = _shared() if SHARED.exists() else _sample()
    left = megabytes * 1e6
    for round_ in itertools.count():
        for text in texts if round_ == 0 else _renewed(texts, round_):
            if left <= 0:
                return
            left -= len(text.encode())
            yield text


def _renewed(texts: list[str], round_: int) -> Iterator[str]:
    generator, other = random.Random(_SEED + round_), other_kanji(_SHIFT * round_)
    for first in range(0, len(texts), _TOGETHER):
        sentences = [_SENTENCE.findall(text) for text in texts[first : first + _TOGETHER]]
        shuffled = list(itertools.chain(*sentences))
        generator.shuffle(shuffled)
        ordered = iter(shuffled)
        for own in sentences:
            yield "".join(itertools.islice(ordered, len(own))).translate(other)


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
