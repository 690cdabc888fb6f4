"""Where the words of a text end, by the patterns of published byte-level BPE tokenizers; compiled.

Each function gives the byte after the word that begins at `at` of valid UTF-8 that ends at `end`. All are made of
classes of code points, of which the library's own tables decide (`known_words`).
"""

from __future__ import annotations

from corpus.kernels.compile import kernel
from corpus.kernels.utf8 import Bytes, Number, code_point

OTHER, MARK, CASELESS, UPPER, LOWER, NUMBER, SPACE, NEWLINE, ALONE = range(9)
"""Classes of code points. Where case does not matter, letters are CASELESS; where marks and newlines do not, they are
OTHER and SPACE. One that stands alone is a word of its own, and what is before it ends there."""

GPT2, LLAMA3, QWEN, TEKKEN = range(4)
"""Patterns."""

_NUMBERS_OF_LLAMA3 = 3


@kernel
def word_end(pattern: Number, utf8: Bytes, at: Number, end: Number, classes: Bytes) -> Number:
    """The byte after the word that begins at `at`."""
    if pattern == GPT2:
        return _gpt2(utf8, at, end, classes)
    if pattern == TEKKEN:
        return _tekken(utf8, at, end, classes)
    return _llama3(utf8, at, end, classes, _NUMBERS_OF_LLAMA3 if pattern == LLAMA3 else 1)


@kernel
def _gpt2(utf8: Bytes, at: Number, end: Number, classes: Bytes) -> Number:
    """Source: openai/gpt-2, encoder.py.

    's|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+
    """
    contracted = _contraction(utf8, at, end)
    if contracted > at:
        return contracted
    kind, after = _class_at(utf8, at, classes)
    if kind == ALONE:
        return after
    if utf8[at] == 32 and after < end:
        following, behind = _class_at(utf8, after, classes)
        if following < SPACE:
            kind, after = following, behind
    last, following = at, kind
    while after < end:
        following, behind = _class_at(utf8, after, classes)
        if following != kind:
            break
        last, after = after, behind
    # The last of several spaces belongs to what follows, unless nothing does.
    if kind == SPACE and last > at and after < end and following != ALONE:
        return last
    return after


@kernel
def _llama3(utf8: Bytes, at: Number, end: Number, classes: Bytes, numbers: Number) -> Number:
    """Source: tokenizer.json of meta-llama/Meta-Llama-3-8B; that of Qwen/Qwen2-7B has \\p{N} for \\p{N}{1,3}.

    (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|...
    """
    contracted = _contraction_of_any_case(utf8, at, end)
    if contracted > at:
        return contracted
    kind, after = _class_at(utf8, at, classes)
    if kind == NUMBER:
        return _run(utf8, at, end, classes, NUMBER, numbers)
    body = after if kind in (OTHER, SPACE) else at
    letters_end = _run(utf8, body, end, classes, CASELESS, end)
    if letters_end > body:
        return letters_end
    return _symbols_or_spaces(utf8, at, end, classes, False)


@kernel
def _tekken(utf8: Bytes, at: Number, end: Number, classes: Bytes) -> Number:
    """Source: `pattern` of tekken_240911.json in mistral-common.

    With A for [\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}] and B for [\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]:
    [^\\r\\n\\p{L}\\p{N}]?A*B+|[^\\r\\n\\p{L}\\p{N}]?A+B*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|...
    """
    kind, after = _class_at(utf8, at, classes)
    if kind == NUMBER:
        return after
    body = after if kind in (OTHER, SPACE, MARK) else at
    with_lower, upper_end = _cased(utf8, body, end, classes)
    if with_lower > body:
        return with_lower
    if kind == MARK:
        return after
    if upper_end > body:
        return upper_end
    return _symbols_or_spaces(utf8, at, end, classes, True)


@kernel
def _cased(utf8: Bytes, at: Number, end: Number, classes: Bytes) -> tuple[Number, Number]:
    """Where A*B+ ends, and where A+ does; `at` for what is not there."""
    both_end, behind = at, at
    while behind < end:
        kind, after = _class_at(utf8, behind, classes)
        if kind < MARK or kind > UPPER:
            break
        behind = after
        if kind != UPPER:
            both_end = after
    upper_end = behind
    lower_end = behind
    while behind < end:
        kind, behind = _class_at(utf8, behind, classes)
        if kind != LOWER and kind != CASELESS and kind != MARK:
            break
        lower_end = behind
    # Without a lower letter after it, A* gives back what it took up to the last that B takes, too.
    return (lower_end if lower_end > upper_end else both_end), upper_end


@kernel
def _symbols_or_spaces(utf8: Bytes, at: Number, end: Number, classes: Bytes, slashes: Number) -> Number:
    """The ends of both: ` ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`, with slashes [\\r\\n/]*."""
    kind, after = _class_at(utf8, at, classes)
    symbols = after if utf8[at] == 32 else at
    behind = symbols
    while behind < end:
        kind, after = _class_at(utf8, behind, classes)
        if kind != OTHER and kind != MARK:
            break
        behind = after
    if behind > symbols:
        while behind < end and (utf8[behind] == 10 or utf8[behind] == 13 or (slashes and utf8[behind] == 47)):
            behind += 1
        return behind
    return _spaces(utf8, at, end, classes)


@kernel
def _spaces(utf8: Bytes, at: Number, end: Number, classes: Bytes) -> Number:
    """The end of `\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`."""
    last, behind, newline_end = at, at, at
    while behind < end:
        kind, after = _class_at(utf8, behind, classes)
        if kind != SPACE and kind != NEWLINE:
            break
        last, behind = behind, after
        if kind == NEWLINE:
            newline_end = after
    if newline_end > at:
        return newline_end
    # The last of several spaces belongs to what follows, unless nothing does.
    return last if last > at and behind < end else behind


@kernel
def _run(utf8: Bytes, at: Number, end: Number, classes: Bytes, wanted: Number, most: Number) -> Number:
    """The byte after as many as `most` code points of a class."""
    count = 0
    while at < end and count < most:
        kind, after = _class_at(utf8, at, classes)
        if kind != wanted:
            break
        at = after
        count += 1
    return at


@kernel
def _class_at(utf8: Bytes, at: Number, classes: Bytes) -> tuple[Number, Number]:
    """The class of the code point at `at`, and the byte after it."""
    point, after = code_point(utf8, at)
    return classes[point], after


@kernel
def _contraction(utf8: Bytes, at: Number, end: Number) -> Number:
    """The byte after 's, 't, 're, 've, 'm, 'll or 'd at `at`; `at` if there is none."""
    if utf8[at] != 39 or at + 1 >= end:
        return at
    first = utf8[at + 1]
    if first == 115 or first == 116 or first == 109 or first == 100:  # s t m d
        return at + 2
    if at + 2 < end:
        second = utf8[at + 2]
        if (first == 114 or first == 118) and second == 101:  # re ve
            return at + 3
        if first == 108 and second == 108:  # ll
            return at + 3
    return at


@kernel
def _contraction_of_any_case(utf8: Bytes, at: Number, end: Number) -> Number:
    """The same of letters in any case, of which one is beyond ASCII: the long s."""
    if utf8[at] != 39 or at + 1 >= end:
        return at
    first = utf8[at + 1] | 32
    if first == 115 or first == 116 or first == 109 or first == 100:  # s t m d
        return at + 2
    if at + 2 < end:
        if utf8[at + 1] == 0xC5 and utf8[at + 2] == 0xBF:
            return at + 3
        second = utf8[at + 2] | 32
        if (first == 114 or first == 118) and second == 101:  # re ve
            return at + 3
        if first == 108 and second == 108:  # ll
            return at + 3
    return at
