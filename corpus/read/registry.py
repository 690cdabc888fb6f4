"""The formats that can be read: every module of `corpus.read.formats` has one, as `FORMAT`."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module

from corpus.batch import Batch
from corpus.read.source import Reading

Reader = Callable[[Reading], Iterator[Batch]]


@dataclass(frozen=True)
class Format:
    """How the files of some endings become documents."""

    name: str
    """As `format` of a source spells it."""
    endings: tuple[str, ...]
    read: Reader
    compressed: bool = True
    """Whether it is read from .gz, .zst, .xz and .bz2 too."""


@cache
def formats() -> dict[str, Format]:
    """All formats by name, in the order of their names; a new one needs nothing but its file."""
    package = import_module("corpus.read.formats")
    modules = [import_module(f"corpus.read.formats.{module.name}") for module in pkgutil.iter_modules(package.__path__)]
    return {module.FORMAT.name: module.FORMAT for module in modules}


@cache
def by_ending() -> dict[str, Format]:
    """The format that an ending, in small letters and without its dot, stands for."""
    return {ending: one for one in formats().values() for ending in one.endings}
