"""How many characters of each class a document has: one pass over its bytes.

Shapes: N documents, C classes.
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, code_point

CLASSES = (
    "hiragana",
    "katakana",
    "kanji",
    "latin",
    "digit",
    "space",
    "newline",
    "full_stop",
    "ellipsis",
    "replacement",
    "mojibake",
    "other",
)
(
    HIRAGANA,
    KATAKANA,
    KANJI,
    LATIN,
    DIGIT,
    SPACE,
    NEWLINE,
    FULL_STOP,
    ELLIPSIS,
    REPLACEMENT,
    MOJIBAKE,
    OTHER,
) = range(len(CLASSES))


def _table() -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    """Class of every code point below 0x10000; those above are kanji (extensions) or other."""
    table = np.full(0x10000, OTHER, np.uint8)
    table[0x3041:0x3097] = HIRAGANA
    table[0x309D:0x30A0] = HIRAGANA
    table[0x30A1:0x30FB] = KATAKANA
    table[0x30FC:0x3100] = KATAKANA
    table[0x31F0:0x3200] = KATAKANA
    table[0xFF66:0xFFA0] = KATAKANA
    table[0x3400:0x4DC0] = KANJI
    table[0x4E00:0xA000] = KANJI
    table[0xF900:0xFB00] = KANJI
    table[[0x3005, 0x3006, 0x3007]] = KANJI
    for first, last in (("A", "Z"), ("a", "z"), ("Ａ", "Ｚ"), ("ａ", "ｚ"), ("À", "ÿ")):
        table[ord(first) : ord(last) + 1] = LATIN
    for first, last in (("0", "9"), ("０", "９")):
        table[ord(first) : ord(last) + 1] = DIGIT
    table[[ord(" "), ord("\t"), 0x3000, 0xA0]] = SPACE
    table[ord("\n")] = NEWLINE
    for character in "。．！？!?":
        table[ord(character)] = FULL_STOP
    table[[ord("…"), ord("‥")]] = ELLIPSIS
    table[0xFFFD] = REPLACEMENT
    # Hiragana and katakana begin with the bytes E3 81 to E3 83 in UTF-8. Read as CP932 these become 縺, 繧 and 繝,
    # which occur in no modern text, and make up a quarter of such a misreading; read as Latin-1 or CP1252 they
    # become ã and a C1 control, or a sign that takes its place.
    for character in "縺繧繝ã":
        table[ord(character)] = MOJIBAKE
    table[0x80:0xA0] = MOJIBAKE
    return table


TABLE = _table()


@kernel
def _count(offsets_N1: Int64, utf8: Bytes, table: Bytes, counts_NC: Int64) -> None:
    for n in range(offsets_N1.size - 1):
        at, end = offsets_N1[n], offsets_N1[n + 1]
        while at < end:
            point, at = code_point(utf8, at)
            if point == 46 and (at == end or utf8[at] in (10, 32, 34, 39, 41)):
                # A full stop of Latin text is one at a word's end; inside numbers and names it is none.
                counts_NC[n, 7] += 1
            elif point < 0x10000:
                counts_NC[n, table[point]] += 1
            elif 0x20000 <= point < 0x32000:
                counts_NC[n, 2] += 1
            else:
                counts_NC[n, 11] += 1


def count_classes(offsets_N1: Int64, utf8: Bytes) -> Int64:
    """Characters of each class.

    Returns:
        int64, (N, C), columns in the order of CLASSES.
    """
    counts_NC = np.zeros((offsets_N1.size - 1, len(CLASSES)), np.int64)
    _count(offsets_N1, utf8, TABLE, counts_NC)
    return counts_NC
