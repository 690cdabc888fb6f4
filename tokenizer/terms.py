"""Which terms become tokens, before anything is learned: those of lists, and words found in in-house text.

terms.jsonl        each term with its count, and its id or why it is left out; in-house text, as the units are
term_tokens.json   the tokens made for them, for whoever goes on from there
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.artifact import Builder
from configs.atomic_file import canonical_json, read_json
from configs.schema.tokenizer import FoundWords, Tokenizer
from tokenizer.extendable import Extendable, Extension, Merge
from tokenizer.term_lists import LONGEST_TERM, ListedTerm
from tokenizer.term_tokens import Term, term_tokens
from tokenizer.text_bytes import is_text
from tokenizer.units import UNIT_BYTES, morpheme_cuts, unpack_unit

TERMS, TERM_TOKENS = "terms.jsonl", "term_tokens.json"

Counted = tuple[Sequence[int], int]
"""Of each of some strings how often it stands in the text, and the characters of the text."""


@dataclass(frozen=True)
class Outcome:
    """What became of a term."""

    text: str
    where: str
    """File and line of a list, or none where it was found."""
    count: int
    left_out: str | None
    """Why, if it is."""


@dataclass(frozen=True)
class Terms:
    """What was decided."""

    extension: Extension
    crossing: tuple[int, ...]
    """Ids of its tokens that may stand across morphemes: those for listed terms, and of the others those that do."""
    outcomes: tuple[Outcome, ...]

    @property
    def taken(self) -> list[tuple[str, int]]:
        """Text and count of the terms that are tokens."""
        return [(one.text, one.count) for one in self.outcomes if one.left_out is None]

    def counts(self) -> dict[str, Any]:
        """For a manifest: numbers, and ids instead of names."""
        left_out: dict[str, int] = {}
        for one in self.outcomes:
            if one.left_out is not None:
                left_out[one.left_out] = left_out.get(one.left_out, 0) + 1
        return {
            "listed": sum(bool(one.where) for one in self.outcomes),
            "found": sum(not one.where for one in self.outcomes),
            "terms": len(self.taken),
            "tokens": len(self.extension.tokens),
            "left_out": dict(sorted(left_out.items())),
            "not_held_to_I9": list(self.crossing),
        }

    def write(self, builder: Builder) -> None:
        """Both files."""
        extension = self.extension
        with builder.file(TERMS) as out:
            out.write(self.lines())
        with builder.file(TERM_TOKENS) as out:
            told = {
                "first": extension.first,
                "tokens": [content.hex() for content in extension.tokens],
                "merges": [[merge.left, merge.right, merge.result] for merge in extension.merges],
                "counts": list(extension.counts),
                "total": extension.total,
                "scores": list(extension.scores),
                "crossing": list(self.crossing),
            }
            out.write(canonical_json(told))

    def lines(self) -> bytes:
        """The content of terms.jsonl."""
        number_of = {content: number for number, content in self.extension.numbered.items()}
        lines = []
        for one in self.outcomes:
            became = {"left_out": one.left_out} if one.left_out else {"id": number_of[one.text.encode()]}
            line = {"text": one.text, "where": one.where, "count": one.count, **became}
            lines.append(json.dumps(line, ensure_ascii=False) + "\n")
        return "".join(lines).encode()

    @classmethod
    def read(cls, folder: Path) -> Terms | None:
        """Those of a directory, if there are any."""
        if not (folder / TERM_TOKENS).exists():
            return None
        told = read_json(folder / TERM_TOKENS)
        extension = Extension(
            told["first"],
            tuple(bytes.fromhex(content) for content in told["tokens"]),
            tuple(Merge(*merge) for merge in told["merges"]),
            tuple(told["counts"]),
            told["total"],
            tuple(told["scores"]),
        )
        lines = [json.loads(line) for line in (folder / TERMS).read_text(encoding="utf-8").splitlines()]
        outcomes = (Outcome(line["text"], line["where"], line["count"], line.get("left_out")) for line in lines)
        return cls(extension, tuple(told["crossing"]), tuple(outcomes))


def chosen_terms(
    base: Extendable,
    settings: Tokenizer,
    listed: Sequence[ListedTerm],
    count: Callable[[list[str]], Counted],
    in_house: Iterable[pa.RecordBatch],
) -> Terms:
    """Decide, of every term.

    Args:
        count: counts strings in the text that is learned from.
        in_house: units of in-house text; read only if words are to be found.
    """
    plain = base.without_shortcut()
    spelt = {term.text: plain.normalised(term.text) for term in listed}
    patterns = list(dict.fromkeys([*spelt, *spelt.values()]))
    counts, characters = count(patterns)
    known = frozenset(base.bytes_of.values())
    count_of = dict(zip(patterns, counts, strict=True))
    outcomes: list[Outcome] = []
    seen: set[str] = set()
    for term in listed:
        text = spelt[term.text]
        total = sum(count_of[one] for one in {term.text, text})
        why = _left_out(known, text, total, settings.terms_min_count)
        why = "another listed term, to the base's normaliser" if text in seen else why
        outcomes.append(Outcome(text, f"{Path(term.file).name}:{term.line}", total, why))
        seen.add(text)
    outcomes = _by_tokens(base, outcomes, characters)
    of_lists = set(_tokens(base, outcomes, characters)[0].tokens)
    if settings.found_words.most:
        found = [
            Outcome(text, "", total, None)
            for text, total in found_words(base, in_house, settings.found_words)
            if text not in seen and text.encode() not in known
        ]
        outcomes = _by_tokens(base, [*outcomes, *found[: settings.found_words.most]], characters)
    extension, _ = _tokens(base, outcomes, characters)
    crossing = tuple(
        number for number, content in extension.numbered.items() if content in of_lists or _crosses(content)
    )
    return Terms(extension, crossing, tuple(outcomes))


def _crosses(content: bytes) -> bool:
    """Whether a morpheme begins inside a token."""
    return is_text(content) and any(0 < cut < len(content) for cut in morpheme_cuts(content.decode()))


def _left_out(known: frozenset[bytes], text: str, count: int, least: int) -> str | None:
    if text.isascii():
        return "ASCII only, to the base's normaliser"
    if text.encode() in known:
        return "one token of the base already"
    if count < least:
        return "rarer than tokenizer.terms_min_count"
    return None


def _tokens(base: Extendable, outcomes: Sequence[Outcome], characters: int) -> tuple[Extension, dict[str, str]]:
    """For the terms that are left, listed ones first, of those the frequent ones."""
    left = [one for one in outcomes if one.left_out is None]
    ordered = sorted(left, key=lambda one: (not one.where, -one.count, one.text))
    return term_tokens(base, [Term(one.text, one.count) for one in ordered], characters)


def _by_tokens(base: Extendable, outcomes: list[Outcome], characters: int) -> list[Outcome]:
    """The outcomes with those left out that no token can be made for."""
    _, refused = _tokens(base, outcomes, characters)
    return [
        one if one.left_out is not None else Outcome(one.text, one.where, one.count, refused.get(one.text))
        for one in outcomes
    ]


def found_words(base: Extendable, units: Iterable[pa.RecordBatch], how: FoundWords) -> Iterator[tuple[str, int]]:
    """Words that the base cuts into many pieces and that are frequent, those first that would save most tokens.

    A word is letters and digits between two boundaries, be it a compound of several morphemes.
    """
    rows: list[tuple[int, bytes, int]] = []
    for batch in units:
        pieces = pc.divide(pc.binary_length(batch.column("unit")), UNIT_BYTES)
        wanted = pc.and_(
            pc.greater_equal(pieces, how.min_pieces), pc.greater_equal(batch.column("count"), how.min_count)
        )
        for unit, count in zip(*(column.to_pylist() for column in batch.filter(wanted).columns), strict=True):
            rows.append((-count * (len(unit) // UNIT_BYTES - 1), unit, count))
    for _, unit, count in sorted(rows):
        content = b"".join(base.bytes_of[number] for number in unpack_unit(unit))
        if not is_text(content) or len(word := content.decode()) > LONGEST_TERM:
            continue
        if word.isalnum() and base.may_be_token(content):
            yield word, count
