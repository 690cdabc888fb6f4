"""Importing this makes every measure known."""

from corpus.measures import (
    compression,
    fineweb,
    form,
    hosts,
    language,
    lines,
    morphemes,
    ngrams,
    repetition,
    script,
    sentences,
)

__all__ = [
    "compression",
    "fineweb",
    "form",
    "hosts",
    "language",
    "lines",
    "morphemes",
    "ngrams",
    "repetition",
    "script",
    "sentences",
]
