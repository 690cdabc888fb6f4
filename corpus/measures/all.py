"""Importing this makes every measure known."""

from corpus.measures import lines, ngrams, script, sentences

__all__ = ["lines", "ngrams", "script", "sentences"]
