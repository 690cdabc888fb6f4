"""Learning from units in which terms are tokens already: what is asked of `learn` where there are terms."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from configs.errors import UserError
from configs.schema.tokenizer import Tokenizer
from tokenizer.expected import frequent_units
from tokenizer.extendable import Extendable, Extension
from tokenizer.learn import extend
from tokenizer.recommend import Recommendation
from tokenizer.term_tokens import following, with_terms
from tokenizer.terms import Terms


def extend_with_terms(
    base: Extendable, terms: Terms | None, units: Iterable[pa.RecordBatch], budget: int, min_count: int
) -> Extension:
    """The tokens of the terms, and learned ones up to `budget` in all.

    Args:
        units: in ids of the base with the terms' tokens.
    Raises:
        UserError: if the terms alone need more.
    """
    if terms is None:
        return extend(base, units, budget, min_count)
    needed = len(terms.extension.tokens)
    if needed > budget:
        raise UserError(
            f"tokenizer.add: {len(terms.taken):,} terms, of lists and found, and what they are joined from need "
            f"{needed:,} new tokens, more than the {budget:,} of tokenizer.add (of tokenizer.auto.most with auto); "
            "raise that, or leave rare terms out by terms_min_count or found_words"
        )
    words = extend(with_terms(base, terms.extension), units, budget - needed, min_count)
    return following(base, terms.extension, words)


def refuse_nothing_learned(extension: Extension, settings: Tokenizer, characters: int) -> None:
    """Raise a UserError if there is no token, as from a text of one character, where a number was asked for."""
    why = nothing_learned(extension, settings, characters)
    if settings.add != "auto" and why is not None:
        raise UserError(
            f"tokenizer.add: {why}; add text, lower tokenizer.min_count, or set tokenizer.add=0 to keep the base's "
            "tokenizer"
        )


def nothing_learned(extension: Extension, settings: Tokenizer, characters: int) -> str | None:
    """Why there is no token, if there is none."""
    if extension.tokens:
        return None
    return (
        f"nothing can be learned from {characters:,} character(s): nowhere do two tokens of the base that are not both "
        f"ASCII stand side by side {settings.min_count} times, with no boundary between"
    )


def frequent_texts(base: Extendable, terms: Terms | None, units: Iterable[pa.RecordBatch]) -> list[tuple[str, int]]:
    """Text and count of the most frequent units, and of the terms, which stand in no unit across morphemes."""
    if terms is None:
        return frequent_units(base, units)
    return [*frequent_units(with_terms(base, terms.extension), units), *terms.taken]


def at_least_terms(advice: Recommendation, terms: Terms | None, why_none: str | None) -> Recommendation:
    """The advice, or all tokens of the terms if it is less: these were asked for.

    Args:
        why_none: why nothing was learned, where nothing was.
    """
    needed = 0 if terms is None else len(terms.extension.tokens)
    if why_none is not None:
        return Recommendation(0, f"keep the base's tokenizer: {why_none}")
    if advice.add >= needed:
        return advice
    return Recommendation(needed, f"{needed:,} new tokens for terms; beyond these: {advice.reason}")
