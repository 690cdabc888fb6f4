"""Where morphemes begin, by MeCab with UniDic (unidic-lite), whose output is asked for as byte offsets alone.

Going over its nodes in Python takes twice as long as the analysis itself.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64

# MeCab's time and memory grow with the length of what it gets at once, and very long input has crashed it; a line
# is cut here, which costs at most one wrong boundary in so many characters.
_LONGEST_SENTENCE = 1000

_NEWLINE, _SPACE, _ZERO = 10, 32, 48

# Begin and end of each morpheme, without the spaces before it.
_FORMAT = r"""
node-format-cuts = %ps\s%pe\s
unk-format-cuts = %ps\s%pe\s
bos-format-cuts =
eos-format-cuts =
"""


@lru_cache(maxsize=1)
def _tagger() -> Any:
    import unidic_lite
    from fugashi import GenericTagger

    with tempfile.NamedTemporaryFile("w", suffix=".mecabrc") as settings:
        settings.write(_FORMAT)
        settings.flush()
        dictionary = shlex.quote(str(Path(unidic_lite.DICDIR)))
        return GenericTagger(f"-d {dictionary} -r {shlex.quote(settings.name)} -O cuts")


def mark_morphemes(text: str, marks: Bytes) -> None:
    """Set the bytes at which a morpheme, a run of spaces, or a line begins.

    Args:
        marks: of each byte of the text, and two more.
    """
    parts = list(_parts(text))
    starts = np.array([start for start, _ in parts], np.int64)
    offsets = "\n".join(_tagger().parse(part) for _, part in parts).encode()
    _mark(np.frombuffer(offsets, np.uint8), starts, marks)
    ends = [start + len(part.encode()) for start, part in parts]
    marks[starts] = marks[ends] = 1
    marks[ends[-1] + 1] = 1


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """What MeCab gets at once, each with the byte at which it begins."""
    offset = 0
    for line in text.split("\n"):
        for start in range(0, max(len(line), 1), _LONGEST_SENTENCE):
            part = line[start : start + _LONGEST_SENTENCE]
            yield offset, part
            offset += len(part.encode())
        offset += 1


@kernel
def _mark(offsets: Bytes, starts: Int64, marks: Bytes) -> None:
    """Set the marks at decimal offsets between spaces; after each newline they count from the next start."""
    part, digits = 0, 0
    value = np.int64(0)
    for byte in offsets:
        if byte >= _ZERO:
            value = value * 10 + (np.int64(byte) - _ZERO)
            digits += 1
            continue
        if digits:
            marks[starts[part] + value] = 1
        value, digits = np.int64(0), 0
        if byte == _NEWLINE:
            part += 1
    if digits:
        marks[starts[part] + value] = 1
