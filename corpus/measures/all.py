"""Importing this makes every measure known."""

from corpus.measures import compression, form, hosts, lines, ngrams, script, sentences

__all__ = ["compression", "form", "hosts", "lines", "ngrams", "script", "sentences"]
