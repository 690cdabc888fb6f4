"""Real Japanese to hold presets against: the shared corpus where it is, else the repository's own documents."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import zstandard

from corpus.decode import UndecodableError, decode

SHARED = Path("../shared/data/corpus/bench_ja.jsonl.zst")
OWN = Path("configs/quickstart")

PARTS = 8
"""The whole corpus in parts, where a reference takes an hour for it."""

PIECES = [
    "点検をする。",
    "弁を閉じる。\n",
    "…\n",
    "...\n",
    "コメント",
    "2024年1月 2日",
    "-",
    "ポンプ ",
    "あ" * 199,
    "あ",
    "電源を切り、水を止めた。",
]
"""What texts around the bounds of the published rules are made of."""


def all_texts() -> Iterator[str]:
    """Every document."""
    if SHARED.exists():
        with open(SHARED, "rb") as file:
            for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"):
                yield json.loads(line)["text"]
        return
    for path in sorted(OWN.rglob("*.*")):
        try:
            yield decode(path.read_bytes()).text
        except UndecodableError:
            continue


def some_texts(count: int, seed: int = 5) -> list[str]:
    """A seeded sample, and every hundredth text damaged in the ways that single rules are for."""
    random = Random(seed)
    texts = [text for text in all_texts() if len(text) < 20_000]
    chosen = random.sample(texts, min(count, len(texts)))
    return [*chosen, *(damaged(text, random) for text in chosen[::4])]


def damaged(text: str, random: Random) -> str:
    """The text with something repeated, cut or strewn in, as scrapers and templates do."""
    at, length = random.randrange(len(text) + 1), random.choice([3, 10, 40, 150])
    piece = text[at : at + length] or "…"
    return random.choice(
        [
            text + piece * random.choice([2, 10, 60]),
            text.replace("。", "…\n"),
            text.replace("。", ""),
            text.replace("。", "。\n\n"),
            "\n".join(line[:15] + "・" for line in text.split("\n")),
            text[at:] + "".join(chr(random.randrange(0x30A1, 0x30FB)) for _ in range(length * 10)),
            text.replace("の", "！？!") + "𠮷" * length,
            piece * 80,
        ]
    )
