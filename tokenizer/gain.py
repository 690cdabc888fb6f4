"""What each number of new tokens would bring and cost: the points of the curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tokenizer.base_shape import BaseShape
from tokenizer.embed import padded_rows
from tokenizer.expected import occurrences
from tokenizer.extendable import Extendable, Extension
from tokenizer.fertility import chars_per_token

_FIRST = 250
_WEIGHT_BYTES, _STATE_BYTES = 2, 12
"""Of a number: in bfloat16; in float32 with Adam's two moments, as a checkpoint has it."""


@dataclass(frozen=True)
class Known:
    """What the points are worked out from."""

    texts: Mapping[str, Sequence[str]]
    """To measure on, by group: languages, and others that are only shown."""
    languages: tuple[str, ...]
    """That are learned from."""
    units: list[tuple[str, int]]
    """Text and count of what tokens were learned from."""
    characters: int
    """Of the text that the units were counted in."""
    shape: BaseShape | None
    """None where there is no config.json."""
    tokens: Mapping[str, float]
    """Of training, by language, as the run file says; empty where there is no run."""
    pad_to_multiple: int
    seen: int
    """A token that is met less often is seldom seen."""


@dataclass(frozen=True)
class Point:
    """One number of new tokens. What is not known is None."""

    new_tokens: int
    chars_per_token: dict[str, float | None]
    """By group."""
    learned_chars_per_token: float | None
    """Of all languages that are learned from, together."""
    rows: int | None
    """Of each embedding, padding included."""
    weight_bytes: int | None
    """Of the rows beyond the base's in all embeddings, in bfloat16."""
    state_bytes: int | None
    """Of the same rows in training: float32 and Adam's two moments."""
    seldom_seen: int | None
    """New tokens that training is expected to meet fewer times than `tokenizer.auto.seen`."""
    flops_saved: float | None
    """Share of the work of training on the same characters, by (P_body + d V') / chars_per_token."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def numbers(learned: int) -> list[int]:
    """Which numbers of tokens are looked at, when so many were learned.

    >>> numbers(1300)
    [0, 250, 500, 1000, 1300]
    """
    doubled = [_FIRST * 2**k for k in range(learned.bit_length()) if _FIRST * 2**k < learned]
    return sorted({0, *doubled, learned})


def points(base: Extendable, extension: Extension, known: Known) -> list[Point]:
    """The curve from the base's tokenizer to the whole extension; any beginning of an extension is one."""
    found: list[Point] = []
    for number in numbers(len(extension.tokens)):
        extended = base.extended(extension.beginning(number))
        found.append(_point(base, extended, number, known, found[0] if found else None))
    return found


def _point(base: Extendable, extended: Extendable, number: int, known: Known, start: Point | None) -> Point:
    measured = {group: chars_per_token(extended, texts) for group, texts in known.texts.items()}
    learned = [text for language in known.languages for text in known.texts.get(language, ())]
    shape, rows = known.shape, None
    if shape is not None:
        rows = padded_rows(shape.rows, base.size + number, known.pad_to_multiple)
    added = None if shape is None or rows is None else (rows - shape.rows) * shape.width * shape.embeddings
    point = Point(
        number,
        measured,
        chars_per_token(extended, learned),
        rows,
        None if added is None else added * _WEIGHT_BYTES,
        None if added is None else added * _STATE_BYTES,
        _seldom(extended, number, measured, known),
        None,
    )
    saved = 0.0 if start is None else _saved(start, point, known)
    return Point(**{**asdict(point), "flops_saved": None if shape is None else saved})


def _seldom(extended: Extendable, number: int, measured: Mapping[str, float | None], known: Known) -> int | None:
    read = sum(known.tokens.get(language, 0.0) * (measured.get(language) or 0.0) for language in known.languages)
    if not known.tokens or not known.characters:
        return None
    counted = occurrences(extended, extended.size - number, known.units)
    return int((counted * (read / known.characters) < known.seen).sum())


def _saved(start: Point, point: Point, known: Known) -> float | None:
    """Share of the work that goes, for the characters that the base would have read within the same tokens."""
    if known.shape is None or start.rows is None or point.rows is None:
        return None
    before = after = 0.0
    for language, characters in _characters(start, known).items():
        base, now = start.chars_per_token[language], point.chars_per_token[language]
        assert base is not None
        assert now is not None
        before += characters / base * known.shape.flops_per_token(start.rows)
        after += characters / now * known.shape.flops_per_token(point.rows)
    return 1 - after / before if before else None


def _characters(start: Point, known: Known) -> dict[str, float]:
    """By language: what training reads, or where nobody knows, what is measured on."""
    of = {language: figure for language, figure in start.chars_per_token.items() if figure is not None}
    if known.tokens:
        return {language: tokens * of[language] for language, tokens in known.tokens.items() if language in of}
    return {language: float(sum(map(len, known.texts[language]))) for language in known.languages if language in of}
