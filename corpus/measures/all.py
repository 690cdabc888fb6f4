"""Importing this makes every measure known."""

from corpus.measures import lines, script

__all__ = ["lines", "script"]
