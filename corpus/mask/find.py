"""Where personal data stands in texts: kernels say where to look, and the kinds look there.

Positions are characters of the text as it is given: a window is folded one character to one, so that full-width
forms are found where they stand.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from corpus.batch import utf8_of
from corpus.kernels.numbers import SHAPES, find_numbers
from corpus.kernels.words import Automaton, automaton, find_words
from corpus.mask.address import ADDRESS
from corpus.mask.bank_account import BANK_ACCOUNT
from corpus.mask.birth_date import BIRTH_DATE
from corpus.mask.credential import CREDENTIAL, LONG_CREDENTIAL, URL_CREDENTIAL
from corpus.mask.credit_card import CREDIT_CARD
from corpus.mask.documents import DRIVING_LICENCE, HEALTH_INSURANCE, PASSPORT
from corpus.mask.email import EMAIL
from corpus.mask.ip_address import IP_ADDRESS
from corpus.mask.kind import Kind
from corpus.mask.my_number import MY_NUMBER
from corpus.mask.name import NAME
from corpus.mask.phone import PHONE
from corpus.mask.postal_code import POSTAL_CODE

KINDS = (
    *(
        LONG_CREDENTIAL,
        URL_CREDENTIAL,
        CREDENTIAL,
        EMAIL,
        CREDIT_CARD,
        DRIVING_LICENCE,
        BANK_ACCOUNT,
        HEALTH_INSURANCE,
        PASSPORT,
        MY_NUMBER,
    ),
    *(POSTAL_CODE, PHONE, BIRTH_DATE, IP_ADDRESS, ADDRESS, NAME),
)
"""In the order of precedence: of two that overlap the earlier kind's stays."""

PLACEHOLDER = re.compile(rf"<(?:{'|'.join(dict.fromkeys(kind.name for kind in KINDS))})(?::[a-z]+)?>")

_BEFORE = 96
"""Characters before what was seen that are looked at; every pattern reaches less far back."""


@dataclass(frozen=True, order=True)
class Span:
    """Personal data in a text: characters [start, end)."""

    start: int
    end: int
    kind: str


def _folding() -> dict[int, int]:
    table = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    table |= dict.fromkeys(map(ord, "‐‑‒–—−"), ord("-"))
    return table | {0x3000: ord(" "), 0xA0: ord(" "), ord("ｰ"): ord("ー")}


_FOLD = _folding()
_FOLDABLE = re.compile("[！-～‐-—−\u3000\xa0ｰ]")


def fold(text: str) -> str:
    """Full-width forms and hyphens as ASCII, one character for one.

    >>> fold("ＴＥＬ（０３）００００−１２３４")
    'TEL(03)0000-1234'
    """
    return text.translate(_FOLD) if _FOLDABLE.search(text) else text


@lru_cache(64)
def _automaton(kinds: tuple[Kind, ...]) -> Automaton:
    words: dict[str, int] = {}
    for number, kind in enumerate(kinds):
        for word in kind.words:
            words[word] = words.get(word, 0) | 1 << (SHAPES + number)
    return automaton(words)


def find_spans(texts: pa.LargeStringArray, names: Iterable[str]) -> dict[int, list[Span]]:
    """Personal data of the kinds named, by row, in order; rows without any are left out.

    What is found once the others are masked is found too, so that to mask is to mask for good.
    """
    wanted = frozenset(names)
    kinds = tuple(kind for kind in KINDS if kind.name in wanted)
    found = _find_once(texts, kinds) if kinds else {}
    spans = dict(found)
    while found:
        rows = list(found)
        masked = [replace_spans(texts[row].as_py(), spans[row]) for row in rows]
        more = _find_once(pa.array(masked, type=pa.large_string()), kinds)
        found = {rows[at]: _unmasked(spans[rows[at]], new) for at, new in more.items()}
        for row, new in found.items():
            spans[row] = sorted([*spans[row], *new])
    return dict(sorted(spans.items()))


def replace_spans(text: str, spans: Sequence[Span], by: Sequence[str] | None = None) -> str:
    """The text with placeholders, or other words, where spans are; spans are in order and do not overlap."""
    parts, at = [], 0
    for number, span in enumerate(spans):
        parts += [text[at : span.start], by[number] if by is not None else f"<{span.kind}>"]
        at = span.end
    return "".join([*parts, text[at:]])


def _unmasked(spans: Sequence[Span], new: Sequence[Span]) -> list[Span]:
    """Positions in the text as it was, of what was found after the spans were replaced."""
    begins, shifts, shift = [0], [0], 0
    for span in spans:
        shift += span.end - span.start - len(f"<{span.kind}>")
        begins.append(span.end - shift)
        shifts.append(shift)
    moved = []
    for one in new:
        by = shifts[bisect_left(begins, one.start + 1) - 1]
        moved.append(Span(one.start + by, one.end + by, one.kind))
    return moved


def _find_once(texts: pa.LargeStringArray, kinds: tuple[Kind, ...]) -> dict[int, list[Span]]:
    column = utf8_of(texts)
    hits_H4 = np.concatenate((find_words(*column, _automaton(kinds)), find_numbers(*column)))
    hits_H4 = hits_H4[np.lexsort((hits_H4[:, 1], hits_H4[:, 0]))]
    windows_of = dict(_by_row(hits_H4.tolist(), kinds))
    everywhere = any(kind.everywhere for kind in kinds)
    found: dict[int, list[Span]] = {}
    for row in range(len(texts)) if everywhere else windows_of:
        text = texts[row].as_py()
        spans = _without_overlap(text, _in_windows(text, windows_of.get(row, []), kinds))
        if spans:
            found[row] = spans
    return found


@dataclass
class _Window:
    start: int
    end: int
    bits: int


def _by_row(hits: list[list[int]], kinds: tuple[Kind, ...]) -> Iterator[tuple[int, list[_Window]]]:
    """The windows of every row that has any; those that touch are one."""
    masks = [kind.shapes | 1 << (SHAPES + number) for number, kind in enumerate(kinds)]
    useful = 0
    for mask in masks:
        useful |= mask
    windows: list[_Window] = []
    after_of: dict[int, int] = {}
    row = -1
    for here, start, end, bits in hits:
        if not bits & useful:
            continue
        if here != row:
            if windows:
                yield row, windows
            row, windows = here, []
        if bits not in after_of:
            after_of[bits] = max(kind.after for kind, mask in zip(kinds, masks, strict=True) if bits & mask)
        after = after_of[bits]
        if windows and start - _BEFORE <= windows[-1].end:
            windows[-1].end = max(windows[-1].end, end + after)
            windows[-1].bits |= bits
        else:
            windows.append(_Window(max(0, start - _BEFORE), end + after, bits))
    if windows:
        yield row, windows


def _in_windows(text: str, windows: list[_Window], kinds: tuple[Kind, ...]) -> Iterator[tuple[int, Span]]:
    for window in windows:
        folded = fold(text[window.start : window.end])
        for number, kind in enumerate(kinds):
            if window.bits & (kind.shapes | 1 << (SHAPES + number)):
                for start, end in kind.find(folded):
                    yield number, Span(start + window.start, end + window.start, kind.name)
    for number, kind in enumerate(kinds):
        if kind.everywhere:
            yield from ((number, Span(start, end, kind.name)) for start, end in kind.find(fold(text)))


def _without_overlap(text: str, spans: Iterable[tuple[int, Span]]) -> list[Span]:
    """In order, and where two overlap the one whose kind is first; nothing of a placeholder."""
    by_precedence = [span for _, span in sorted(set(spans))]
    if not by_precedence:
        return []
    taken = [match.span() for match in PLACEHOLDER.finditer(text)]
    kept: list[Span] = []
    for span in by_precedence:
        at = bisect_left(taken, (span.start, span.end))
        clear_before = at == 0 or taken[at - 1][1] <= span.start
        clear_after = at == len(taken) or span.end <= taken[at][0]
        if span.start < span.end and clear_before and clear_after:
            taken.insert(at, (span.start, span.end))
            kept.append(span)
    return sorted(kept)
