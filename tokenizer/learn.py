"""Which tokens to add: BPE continued on the base's own tokens, in the context they stand in.

Learning on tokens of the base, instead of an independent BPE from characters, makes every new token reachable: on
Qwen3 27 % of independently learned tokens never occurred (reference: tsugiki's own trial).
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.characters import in_order_of_gain, spelt_characters, with_characters
from tokenizer.extendable import Extendable, Extension, Merge
from tokenizer.text_bytes import is_text
from tokenizer.units import UNIT_BYTES, unpack_unit

Pair = tuple[int, int]


def extend(base: Extendable, unit_runs: Iterable[pa.RecordBatch], budget: int, min_count: int) -> Extension:
    """Learn up to `budget` tokens from counted units, each of which the extended tokenizer really produces.

    Alone, without its neighbours, a token's text can be cut by the base into other pieces than in the text it was
    learned from, and then no merge reaches it. Such a token is given up and the others are learned again.
    """
    batches = list(unit_runs)
    characters = spelt_characters(base, batches, min_count)
    closed = base.extended(characters) if characters.tokens else base
    batches = list(with_characters(base, characters, batches))
    if not base.joins:
        return _emitted(base, closed, characters, batches, budget, min_count)
    unreachable: frozenset[bytes] = frozenset()
    while True:
        words = learn(closed, batches, budget, min_count, unreachable)
        extension = in_order_of_gain(characters, words, budget) if characters.tokens else words
        found = unreached(base.extended(extension), extension.tokens)
        if not found:
            return extension
        unreachable |= found


def _emitted(
    base: Extendable,
    closed: Extendable,
    characters: Extension,
    batches: Sequence[pa.RecordBatch],
    budget: int,
    min_count: int,
) -> Extension:
    """As many candidates as are asked for of those that text is really cut into.

    The others are left out, with no harm to what was built through them: a piece that loses against a cut of its own
    text loses in every text.
    """
    total = sum(pc.sum(pc.multiply(_length(batch), batch.column("count"))).as_py() or 0 for batch in batches)
    asked = budget
    while True:
        words = learn(closed, batches, asked, min_count, frozenset())
        found = replace(in_order_of_gain(characters, words, asked), total=total)
        full = len(found.tokens) == asked
        while lost := unreached(base.extended(found), found.tokens):
            found = found.without(lost)
        if len(found.tokens) >= budget or not full:
            return found.beginning(budget)
        asked += 2 * (budget - len(found.tokens))


def _length(batch: pa.RecordBatch) -> pa.Array:
    """Tokens of each unit."""
    return pc.divide(pc.binary_length(batch.column("unit")), UNIT_BYTES).cast(pa.int64())


def unreached(extended: Extendable, tokens: Sequence[bytes]) -> frozenset[bytes]:
    """New tokens whose own text is not encoded as the token; beginnings of characters have no text of their own."""
    plain = extended.without_shortcut()
    first = extended.size - len(tokens)
    return frozenset(
        content
        for number, content in enumerate(tokens, start=first)
        if is_text(content) and plain.encode(content.decode()) != [number]
    )


def learn(
    base: Extendable, batches: Iterable[pa.RecordBatch], budget: int, min_count: int, banned: frozenset[bytes]
) -> Extension:
    """Learn up to `budget` tokens from counted units.

    A pair becomes a token if it has a byte beyond ASCII (text without any keeps its ids), is valid UTF-8 or the
    beginning of one character, and is no token of the base (or text without a new token could change). Of pairs
    that are equally frequent, the one with the smaller ids comes first.

    Args:
        min_count: a less frequent pair is not merged.
        banned: contents that must not become tokens.
    """
    words: list[list[int]] = []
    counts: list[int] = []
    for batch in batches:
        words += [list(unpack_unit(unit)) for unit in batch.column("unit").to_pylist()]
        counts += batch.column("count").to_pylist()
    return _Learner(base, words, counts, banned).learn(budget, min_count)


class _Learner:
    def __init__(self, base: Extendable, words: list[list[int]], counts: list[int], banned: frozenset[bytes]) -> None:
        self._base, self._words, self._counts = base, words, counts
        self._bytes_of = dict(base.bytes_of)
        self._taken = banned.union(base.bytes_of.values())
        self._number_of: dict[bytes, int] = {}
        self._pair_counts: dict[Pair, int] = defaultdict(int)
        self._words_with: dict[Pair, set[int]] = defaultdict(set)
        for index, word in enumerate(words):
            for pair in itertools.pairwise(word):
                self._pair_counts[pair] += counts[index]
                self._words_with[pair].add(index)
        self._heap = [(-count, pair) for pair, count in self._pair_counts.items()]
        heapq.heapify(self._heap)

    def learn(self, budget: int, min_count: int) -> Extension:
        merges: list[Merge] = []
        first_counts: list[int] = []
        while self._heap:
            negative, pair = heapq.heappop(self._heap)
            count = self._pair_counts[pair]
            if count < min_count:
                continue
            if -negative != count:  # the pair became rarer since it was put here
                heapq.heappush(self._heap, (-count, pair))
                continue
            content = self._bytes_of[pair[0]] + self._bytes_of[pair[1]]
            if not self._may_be_token(content):
                continue
            number = self._number_of.get(content)
            if number is None:
                if len(first_counts) == budget:
                    continue  # pairs that build a token already chosen may still come
                number = self._base.size + len(first_counts)
                self._number_of[content] = number
                self._bytes_of[number] = content
                first_counts.append(count)
            merges.append(Merge(*pair, number))
            self._apply(pair, number)
        return Extension(self._base.size, tuple(self._number_of), tuple(merges), tuple(first_counts))

    def _may_be_token(self, content: bytes) -> bool:
        return content not in self._taken and self._base.may_be_token(content)

    def _apply(self, pair: Pair, number: int) -> None:
        changed: set[Pair] = set()
        for index in self._words_with.pop(pair):
            word, count = self._words[index], self._counts[index]
            for old in itertools.pairwise(word):
                self._pair_counts[old] -= count
                if old != pair:
                    self._words_with[old].discard(index)
            self._words[index] = word = _merged(word, pair, number)
            for new in itertools.pairwise(word):
                self._pair_counts[new] += count
                self._words_with[new].add(index)
                changed.add(new)
        self._pair_counts.pop(pair)
        for new in changed:
            heapq.heappush(self._heap, (-self._pair_counts[new], new))


def _merged(word: list[int], pair: Pair, number: int) -> list[int]:
    merged: list[int] = []
    at = 0
    while at < len(word):
        if at + 1 < len(word) and (word[at], word[at + 1]) == pair:
            merged.append(number)
            at += 2
        else:
            merged.append(word[at])
            at += 1
    return merged
