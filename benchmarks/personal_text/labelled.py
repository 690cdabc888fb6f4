"""The labelled sentences: templates written by hand, filled with invented data.

The sentences, names and places of `held_back` were written before anything was tuned; only their totals were looked
at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from benchmarks.personal_text import people
from benchmarks.personal_text.harmless import HARMLESS
from benchmarks.personal_text.invent import PERSONAL
from corpus.mask.find import Span

Part = Literal["tuned", "held_back"]
PARTS: tuple[Part, ...] = ("tuned", "held_back")
ROUNDS = 10
"""How often each template is filled."""

_SLOT = re.compile(r"\{(\w+)\}")
_PEOPLE = {
    "name": ("name", people.name),
    "family_name": ("name", people.family_name),
    "katakana_name": ("name", people.katakana_name),
    "address": ("address", people.address),
}


@dataclass(frozen=True)
class Labelled:
    """A sentence, and what in it is personal, in order."""

    text: str
    spans: tuple[Span, ...]


def labelled(part: Part) -> Iterator[Labelled]:
    """The sentences of a part."""
    lines = (Path(__file__).parent / f"{part}.txt").read_text(encoding="utf-8").splitlines()
    for round_ in range(ROUNDS):
        for number, line in enumerate(lines):
            if not line.startswith("#"):
                yield _filled(line, part, Random(f"{part} {round_} {number}"))


def _filled(template: str, part: Part, random: Random) -> Labelled:
    text, at = "", 0
    spans = []
    for slot in _SLOT.finditer(template):
        text += template[at : slot.start()]
        at = slot.end()
        kind, value = _value(slot[1], part, random)
        if kind is not None:
            spans.append(Span(len(text), len(text) + len(value), kind))
        text += value
    return Labelled(text + template[at:], tuple(spans))


def _value(slot: str, part: Part, random: Random) -> tuple[str | None, str]:
    if slot in _PEOPLE:
        kind, person = _PEOPLE[slot]
        return kind, person(random, part)
    if slot in PERSONAL:
        kind, invent = PERSONAL[slot]
        return kind, invent(random)
    return None, HARMLESS[slot](random)
