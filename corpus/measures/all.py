"""Importing this makes every measure known."""

from corpus.measures import compression, form, hosts, lines, morphemes, ngrams, repetition, script, sentences

__all__ = ["compression", "form", "hosts", "lines", "morphemes", "ngrams", "repetition", "script", "sentences"]
