"""Paragraphs, sentences and letters of documents as Swallow Corpus v1 counts them, in one pass over the bytes.

Source: Okazaki et al. (arXiv:2404.17733) and its quality.py. A paragraph is a line. A sentence is a run of characters
up to its end mark, one of 。．！？!?; further end marks belong to no sentence, and to no paragraph.

Shapes: N documents, C counts, P pieces of a document at most; a piece is a sentence (row 0) or a paragraph (row 1).
"""

from __future__ import annotations

import numpy as np

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Int64, Number, UInt64, code_point, mixed

COUNTS = (
    "characters",
    "hiragana",
    "katakana",
    "kanji",
    "commas",
    "full_stops",
    "paragraphs",
    "repeated_paragraphs",
    "repeated_paragraph_characters",
    "sentences",
    "repeated_sentences",
    "repeated_sentence_characters",
    "sentence_characters",
    "longest_sentence",
    "ellipsis_sentences",
)
(
    CHARACTERS,
    HIRAGANA,
    KATAKANA,
    KANJI,
    COMMAS,
    FULL_STOPS,
    PARAGRAPHS,
    REPEATED_PARAGRAPHS,
    REPEATED_PARAGRAPH_CHARACTERS,
    SENTENCES,
    REPEATED_SENTENCES,
    REPEATED_SENTENCE_CHARACTERS,
    SENTENCE_CHARACTERS,
    LONGEST_SENTENCE,
    ELLIPSIS_SENTENCES,
) = range(len(COUNTS))

# The first six classes are columns of the counts: 0 is any other character.
_FULL_STOP, _END, _NEWLINE, _SPACE, _ELLIPSIS = 5, 6, 7, 8, 9


def _table() -> Bytes:
    """Class of every code point below 0x10000; those above are other, kanji among them, as published."""
    table = np.zeros(0x10000, np.uint8)
    table[0x3041:0x3097] = HIRAGANA
    table[0x30A1:0x30FB] = KATAKANA
    table[0x3400:0xA000] = KANJI
    table[0xF900:0xFB00] = KANJI
    for classes, characters in (
        (KANJI, "々〇〻"),
        (COMMAS, "、，"),
        (_FULL_STOP, "。．！？"),
        (_END, "!?"),
        (_NEWLINE, "\n"),
        (_ELLIPSIS, "・…"),
    ):
        for character in characters:
            table[ord(character)] = classes
    # What str.strip takes away.
    for point in range(0x10000):
        if chr(point).isspace() and point != 10:
            table[point] = _SPACE
    return table


TABLE = _table()


@kernel
def _same(utf8: Bytes, one: Number, other: Number, length: Number) -> Number:
    k = 0
    while k < length and utf8[one + k] == utf8[other + k]:
        k += 1
    return k == length


@kernel
def _repeated(buffer: Bytes, pieces_P2: Int64, hash_P: UInt64, count: Number, table: Int64) -> tuple[Number, Number]:
    """How many of the first `count` pieces stood before, and their characters.

    Equal hashes are not taken for equal pieces: the bytes are compared.
    """
    bits = 4
    while (1 << bits) < 2 * count:
        bits += 1
    mask = (1 << bits) - 1
    table[: 1 << bits] = -1
    again, characters = 0, 0
    for p in range(count):
        start = pieces_P2[p - 1, 0] if p > 0 else np.int64(0)
        length = pieces_P2[p, 0] - start
        slot = np.int64(hash_P[p] & np.uint64(mask))
        while table[slot] >= 0:
            q = table[slot]
            begin = pieces_P2[q - 1, 0] if q > 0 else np.int64(0)
            if hash_P[q] == hash_P[p] and pieces_P2[q, 0] - begin == length and _same(buffer, begin, start, length):
                again += 1
                characters += pieces_P2[p, 1]
                break
            slot = (slot + 1) & mask
        else:
            table[slot] = p
    return again, characters


@kernel
def _stirred(state: Number, point: Number) -> Number:
    state = (state ^ np.uint64(point)) * np.uint64(0x9E3779B97F4A7C15)
    return state ^ (state >> np.uint64(29))


@kernel
def _cut(
    utf8: Bytes,
    at: Number,
    end: Number,
    classes: Bytes,
    counts_C: Int64,
    buffer: Bytes,
    pieces_2P2: Int64,
    hash_2P: UInt64,
) -> None:
    """Cut one document: its sentences' bytes go to the buffer, one behind the other.

    Its paragraphs are the same bytes, cut elsewhere. A piece is where it ends in the buffer, and its characters.
    """
    written, sentences, paragraphs, in_sentence, in_paragraph, last = 0, 0, 0, 0, 0, 0
    sentence, paragraph = np.uint64(0), np.uint64(0)
    while at <= end:
        start = at
        point: Number = 0
        kind: Number = 7  # the end of the text ends a line
        at += 1
        if start < end:
            point, at = code_point(utf8, start)
            kind = np.int64(classes[point]) if point < 0x10000 else 0
            counts_C[0] += 1
        if 1 <= kind <= 5:
            counts_C[kind] += 1
        ends = 5 <= kind <= 7
        if kind != 7 and (in_sentence > 0 or not ends):
            for k in range(start, at):
                buffer[written + k - start] = utf8[k]
            written += at - start
            sentence, paragraph = _stirred(sentence, point), _stirred(paragraph, point)
            in_sentence, in_paragraph = in_sentence + 1, in_paragraph + 1
            last = last if kind == 8 else kind
        if ends and in_sentence > 0:
            pieces_2P2[0, sentences], hash_2P[0, sentences] = (written, in_sentence), mixed(sentence)
            counts_C[12] += in_sentence
            counts_C[13] = max(counts_C[13], in_sentence)
            counts_C[14] += last == 9
            sentences, in_sentence, last, sentence = sentences + 1, 0, 0, np.uint64(0)
        if kind == 7:
            pieces_2P2[1, paragraphs], hash_2P[1, paragraphs] = (written, in_paragraph), mixed(paragraph)
            paragraphs, in_paragraph, paragraph = paragraphs + 1, 0, np.uint64(0)
    counts_C[6], counts_C[9] = paragraphs, sentences


@kernel
def _count(offsets_N1: Int64, utf8: Bytes, classes: Bytes, longest: Number, pieces: Number, counts_NC: Int64) -> None:
    buffer = np.empty(longest, np.uint8)
    pieces_2P2, hash_2P = np.empty((2, pieces, 2), np.int64), np.empty((2, pieces), np.uint64)
    size = 16
    while size < 2 * pieces:
        size *= 2
    table = np.empty(size, np.int64)
    for n in range(offsets_N1.size - 1):
        row = counts_NC[n]
        _cut(utf8, offsets_N1[n], offsets_N1[n + 1], classes, row, buffer, pieces_2P2, hash_2P)
        row[7], row[8] = _repeated(buffer, pieces_2P2[1], hash_2P[1], row[6], table)
        row[10], row[11] = _repeated(buffer, pieces_2P2[0], hash_2P[0], row[9], table)


@kernel
def _most_lines(offsets_N1: Int64, utf8: Bytes) -> Number:
    most = 1
    for n in range(offsets_N1.size - 1):
        lines = 1
        for at in range(offsets_N1[n], offsets_N1[n + 1]):
            lines += utf8[at] == 10
        most = max(most, lines)
    return most


def count_sentences(offsets_N1: Int64, utf8: Bytes) -> Int64:
    """The counts of every document.

    Returns:
        int64, (N, C), columns in the order of COUNTS. A repeated paragraph or sentence is one that stood before.
    """
    counts_NC = np.zeros((offsets_N1.size - 1, len(COUNTS)), np.int64)
    longest = int(np.diff(offsets_N1).max(initial=1))
    # A sentence has a character and an end: a mark, or a newline.
    pieces = max(int(_most_lines(offsets_N1, utf8)), longest // 2 + 1)
    _count(offsets_N1, utf8, TABLE, longest, pieces, counts_NC)
    return counts_NC
