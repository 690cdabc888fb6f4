"""Which tokens to add: BPE continued on the base's own tokens, in the context they stand in.

Learning on tokens of the base, instead of an independent BPE from characters, makes every new token reachable: on
Qwen3 27 % of independently learned tokens never occurred (reference: tsugiki's own trial).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.characters import in_order_of_gain, spelt_characters, with_characters
from tokenizer.extendable import Extendable, Extension, Merge
from tokenizer.pairs import PairCounts
from tokenizer.text_bytes import is_text
from tokenizer.units import UNIT_BYTES


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
        found = unreached(base.extended(extension), extension.numbered)
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
        while lost := unreached(base.extended(found), found.numbered):
            found = found.without(lost)
        if len(found.tokens) >= budget or not full:
            return found.beginning(budget)
        asked += 2 * (budget - len(found.tokens))


def _length(batch: pa.RecordBatch) -> pa.Array:
    """Tokens of each unit."""
    return pc.divide(pc.binary_length(batch.column("unit")), UNIT_BYTES).cast(pa.int64())


def unreached(extended: Extendable, tokens: Mapping[int, bytes]) -> frozenset[bytes]:
    """New tokens whose own text is not encoded as the token; beginnings of characters have no text of their own.

    Args:
        tokens: by id.
    """
    plain = extended.without_shortcut()
    return frozenset(
        content for number, content in tokens.items() if is_text(content) and plain.encode(content.decode()) != [number]
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
    pairs = PairCounts(batches)
    bytes_of = dict(base.bytes_of)
    taken = banned.union(base.bytes_of.values())
    number_of: dict[bytes, int] = {}
    first_counts: list[int] = []
    merges: dict[tuple[int, int], int] = {}
    while (found := pairs.next(min_count)) is not None:
        pair_number, pair, count = found
        content = bytes_of[pair[0]] + bytes_of[pair[1]]
        token = number_of.get(content)
        if token is None:
            # When the budget is spent, pairs that build a token already chosen may still come.
            if len(first_counts) == budget or content in taken or not base.may_be_token(content):
                continue
            token = base.size + len(first_counts)
            number_of[content], bytes_of[token] = token, content
            first_counts.append(count)
        # A pair may come again: of tokens that were built in another way since.
        merges.setdefault(pair, token)
        pairs.join(pair_number, token)
    return Extension(
        base.size,
        tuple(number_of),
        tuple(Merge(*pair, token) for pair, token in merges.items()),
        tuple(first_counts),
    )
