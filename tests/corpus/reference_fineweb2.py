"""FineWeb2's decision about Japanese, slowly, with fugashi's words: datatrove's filters in the pipeline's order."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import regex  # type: ignore[import-untyped]  # ships no types
from fugashi import Tagger

TAGGER = Tagger("-Owakati")
SIGNS = set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~«´»–—’“”„…∶━►、。〈〉《》「」【】！％（），．１：；？～") | {
    chr(point) for point in range(160) if (point < 32 or point >= 127) and point != 10
}
STOP_WORDS = set(["の", "に", "を", "は", "た", "て", "が", "と", "で", "年", "し", "・", "月", "れ", "さ"])


def again(elements: list[str]) -> tuple[int, int]:
    """How many stood before, and their characters."""
    seen: set[str] = set()
    number = characters = 0
    for element in elements:
        if element in seen:
            number, characters = number + 1, characters + len(element)
        seen.add(element)
    return number, characters


def first_reason(text: str) -> str | None:
    """The first rule that drops a text, None if it stays; a text without words is said nothing of."""
    words = [word.surface for word in TAGGER(text)]
    if not words or not text.strip():
        return None
    return _repetition(text, words) or _quality(text, words) or _gopher(text, words)


def _repetition(text: str, words: list[str]) -> str | None:
    lines = re.split("\n+", text)
    if again(lines)[0] / len(lines) > 0.328:
        return "repeated_lines"
    for n, bound in ((2, 0.239), (3, 0.196), (4, 0.172)):
        grams = [" ".join(words[at : at + n]) for at in range(len(words) - n + 1)]
        if grams:
            gram, count = Counter(grams).most_common(1)[0]
            if len(gram) * count / len(text) > bound:
                return f"frequent_{n}words"
    for n, bound in ((5, 0.243), (6, 0.225), (7, 0.207), (8, 0.19), (9, 0.175), (10, 0.159)):
        seen: set[str] = set()
        at = characters = 0
        while at < len(words) - n + 1:
            one = "".join(words[at : at + n])
            characters += len(one) if one in seen else 0
            at += n if one in seen else 1
            seen.add(one)
        if characters / len(text) > bound:
            return f"repeated_{n}words"
    return None


def _quality(text: str, words: list[str]) -> str | None:
    lines = [line for line in text.split("\n") if line.strip() != ""]
    if sum(regex.search(r"\p{Sentence_Terminal}\Z", line) is not None for line in lines) / len(lines) < 0.096:
        return "few_line_ends"
    if again(lines)[1] / len(text.replace("\n", "")) > 0.1:
        return "repeated_line_characters"
    return "many_newlines" if text.count("\n") / len(words) > 0.13 else None


def _gopher(text: str, words: list[str]) -> str | None:
    real = [word for word in words if any(one not in SIGNS for one in word)]
    if len(real) < 50:
        return "few_words"
    if len(real) > 100_000:
        return "many_words"
    mean = np.mean([len(word) for word in real])
    if mean < 1 or mean > 6:
        return "short_words" if mean < 1 else "long_words"
    if text.count("#") / len(words) > 0.1:
        return "many_hashes"
    if (text.count("...") + text.count("…")) / len(words) > 0.1:
        return "many_ellipses"
    lines = text.splitlines()
    if sum(line.lstrip()[:1] in ("•", "-") and line.strip() != "" for line in lines) / len(lines) > 0.9:
        return "bullets"
    if sum(line.rstrip().endswith("...") or line.rstrip().endswith("…") for line in lines) / len(lines) > 0.3:
        return "cut_off_lines"
    if sum(any(one.isalpha() for one in word) for word in words) / len(words) < 0.759:
        return "few_letters"
    return "few_stop_words" if len(STOP_WORDS & set(words)) < 2 else None
