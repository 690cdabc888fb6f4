"""Tokens for terms, whatever text says: each term becomes one, and so does what it is joined from.

Merges for terms come after all of the base's and before all that are learned. A term is joined from the pieces that
the base cuts it into by itself, which are those of any text in which the base cuts at both of its ends: no merge
crosses an end then, and inside the same ones apply. First within its morphemes, from the left, then across them, so
that what terms have in common is one token.

Each term is joined after all before it. Greedy BPE does what ranks first, so that what comes later changes no term
that is one token already. A Unigram gives a term a score by which it wins against any other cut of its own text.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tokenizer.extendable import Extendable, Extension, Merge
from tokenizer.learn import unreached
from tokenizer.sp_unigram import SpUnigram
from tokenizer.units import morpheme_cuts

ACROSS_WORDS = "the base's pre-tokeniser cuts it, and no token crosses that"
STUCK = "its pieces in the base are no whole characters, or join to an old token only"
OTHERWISE = "other tokens take its text apart"

# A score is the logarithm of a probability; so much more than the best other cut is no matter of rounding.
_WIN = 0.01


@dataclass(frozen=True)
class Term:
    """A text that shall be one token."""

    text: str
    count: int
    """How often it stands in the text that is learned from."""


def term_tokens(base: Extendable, terms: Sequence[Term], characters: int) -> tuple[Extension, dict[str, str]]:
    """The extension by some terms, those that come first first, and why others cannot be tokens, by text.

    Args:
        terms: none of which is a token of the base.
        characters: of the text they were counted in.
    """
    refused: dict[str, str] = {}
    while True:
        left = [term for term in terms if term.text not in refused]
        found, failed = (_scored if isinstance(base, SpUnigram) else _joined)(base, left, characters)
        if not failed:
            lost = unreached(base.extended(found), found.numbered)
            failed = {term.text: OTHERWISE for term in left if term.text.encode() in lost}
            if lost and not failed:
                failed = {term.text: OTHERWISE for term in left if any(one in term.text.encode() for one in lost)}
        if not failed:
            return found, refused
        refused |= failed


def with_terms(base: Extendable, terms: Extension) -> Extendable:
    """The base, with tokens for terms where there are any."""
    return base.extended(terms) if terms.tokens else base


def following(base: Extendable, terms: Extension, words: Extension) -> Extension:
    """One extension by terms, and by words that were learned on the base that has the terms.

    Of a Unigram the words may take a term apart again; then its score is raised, and words that lose by that go.
    """
    if not isinstance(base, SpUnigram) or not terms.tokens:
        return _both(terms, words)
    while True:
        both = _both(terms, words)
        lost = unreached(base.extended(both), both.numbered)
        if not lost:
            return both
        raised = _raised(base, both, lost.intersection(terms.tokens))
        gone = lost.difference(terms.tokens)
        if raised == terms.scores and not gone:
            # As good as the best piece of the base, and yet not good enough: what it is cut into must go.
            cut = base.extended(both)
            gone = frozenset(cut.bytes_of[number] for one in lost for number in cut.spelt(one))
        before = (terms, words)
        terms, words = replace(terms, scores=raised), words.without(gone)
        if (terms, words) == before:
            return both  # nothing is left to change; the check of I6 says what is wrong


def _both(terms: Extension, words: Extension) -> Extension:
    if not terms.tokens:
        return words
    return Extension(
        terms.first,
        terms.tokens + words.tokens,
        terms.merges + words.merges,
        terms.counts + words.counts,
        words.total,
        terms.scores,
    )


def _raised(base: SpUnigram, extension: Extension, lost: frozenset[bytes]) -> tuple[float, ...]:
    """Scores by which the terms that lost win against what their text is cut into now."""
    plain = base.extended(extension).without_shortcut()
    highest = max(base.score_of.values())
    scores = list(extension.scores)
    for place, content in enumerate(extension.tokens[: len(scores)]):
        if content in lost:
            other = math.fsum(plain.score_of.get(number, -math.inf) for number in plain.encode(content.decode()))
            scores[place] = min(max(scores[place], other + _WIN), highest)
    return tuple(scores)


def _spelt_characters(base: Extendable, terms: Sequence[Term]) -> dict[str, int]:
    """Characters of terms that a SentencePiece base spells by bytes, and how often they stand in terms."""
    counts: dict[str, int] = {}
    known = set(base.bytes_of.values()) if base.byte_of else set()
    for term in terms if base.byte_of else ():
        for character in term.text:
            if character.encode() not in known and base.may_be_token(character.encode()):
                counts[character] = counts.get(character, 0) + term.count
    return counts


def _scored(base: Extendable, terms: Sequence[Term], characters: int) -> tuple[Extension, dict[str, str]]:
    """Of a Unigram: the terms, each with its share of the text as score, or as much as it needs to win."""
    assert isinstance(base, SpUnigram)
    count_of = _spelt_characters(base, terms) | {term.text: term.count for term in terms}
    refused = {term.text: STUCK for term in terms if not base.may_be_token(term.text.encode())}
    texts = [text for text in count_of if text not in refused]
    lowest, highest = min(base.score_of.values()), max(base.score_of.values())
    shares = [math.log(max(count_of[text], 1) / max(characters, count_of[text], 1)) for text in texts]
    found = Extension(
        base.size,
        tuple(text.encode() for text in texts),
        (),
        tuple(count_of[text] for text in texts),
        characters,
        tuple(min(max(share, lowest), highest) for share in shares),
    )
    while not refused and (lost := unreached(base.extended(found), found.numbered)):
        raised = _raised(base, found, lost)
        if raised == found.scores:
            break
        found = replace(found, scores=raised)
    return found, refused


def _joined(base: Extendable, terms: Sequence[Term], _characters: int) -> tuple[Extension, dict[str, str]]:
    """Of a BPE: the terms and all that they are joined from."""
    characters = _spelt_characters(base, terms)
    alone = Extension(base.size, tuple(map(str.encode, characters)), (), tuple(characters.values()))
    chain = _Chain(base, base.extended(alone) if alone.tokens else base, alone)
    refused = {term.text: why for term in terms if (why := chain.add(term)) is not None}
    return chain.extension, refused


class _Chain:
    """Merges for terms, one after the other.

    Args:
        closed: the base with the characters that it spelt by bytes.
        characters: these.
    """

    def __init__(self, base: Extendable, closed: Extendable, characters: Extension) -> None:
        self._base, self._plain = base, closed.without_shortcut()
        self._bytes_of = dict(closed.bytes_of)
        self._taken = frozenset(closed.bytes_of.values())
        self._tokens, self._counts = list(characters.tokens), list(characters.counts)
        self._number_of: dict[bytes, int] = {}
        self._merges: list[Merge] = []
        self._rank: dict[tuple[int, int], tuple[int, int]] = {}
        # SentencePiece joins any two pieces that make up a third.
        apart = closed.byte_of.keys() | closed.added_ids
        self._pieces = {
            content: number for number, content in closed.bytes_of.items() if base.byte_of and number not in apart
        }

    @property
    def extension(self) -> Extension:
        return Extension(self._base.size, tuple(self._tokens), tuple(self._merges), tuple(self._counts))

    def add(self, term: Term) -> str | None:
        """Join a term; gives why it cannot be, if it cannot."""
        encoding = self._plain.backend.encode(term.text, add_special_tokens=False)
        if len(set(encoding.word_ids)) > 1:
            return ACROSS_WORDS
        cuts = morpheme_cuts(term.text)
        ids = self._after_merges(encoding.ids)
        while len(ids) > 1:
            at = self._next(ids, cuts)
            if at is None:
                return STUCK
            self._merge(ids[at], ids[at + 1], term.count)
            ids = self._after_merges(ids)
        return None

    def _next(self, ids: Sequence[int], cuts: set[int]) -> int | None:
        """Which two are joined next: those that may be, within a morpheme before across, from the left."""
        ends = list(itertools.accumulate(len(self._bytes_of[number]) for number in ids))
        may = [at for at, content in enumerate(self._pairs(ids)) if self._may_be(content)]
        return min(may, key=lambda at: (ends[at] in cuts, at), default=None)

    def _pairs(self, ids: Sequence[int]) -> Iterator[bytes]:
        return (self._bytes_of[left] + self._bytes_of[right] for left, right in itertools.pairwise(ids))

    def _may_be(self, content: bytes) -> bool:
        return content in self._number_of or (content not in self._taken and self._base.may_be_token(content))

    def _merge(self, left: int, right: int, count: int) -> None:
        content = self._bytes_of[left] + self._bytes_of[right]
        number = self._number_of.get(content)
        if number is None:
            number = self._base.size + len(self._tokens)
            self._number_of[content], self._bytes_of[number] = number, content
            self._tokens.append(content)
            self._counts.append(count)
        self._merges.append(Merge(left, right, number))
        self._rank[left, right] = (len(self._rank), number)
        if self._pieces:
            for at in range(len(content) - 1, 0, -1):
                pair = self._pieces.get(content[:at]), self._pieces.get(content[at:])
                if pair[0] is not None and pair[1] is not None:
                    self._rank.setdefault((pair[0], pair[1]), (len(self._rank), number))
            self._pieces[content] = number

    def _after_merges(self, ids: Sequence[int]) -> list[int]:
        """What the merges so far make of it, the best first and from the left."""
        return _applied(list(ids), self._rank)


def _applied(ids: list[int], rank: Mapping[tuple[int, int], tuple[int, int]]) -> list[int]:
    while known := [(rank[pair][0], at) for at, pair in enumerate(itertools.pairwise(ids)) if pair in rank]:
        _, at = min(known)
        ids[at : at + 2] = [rank[ids[at], ids[at + 1]][1]]
    return ids
