"""Swallow Corpus v1's decision, slowly: what the paper and quality.py say, read once more in plain Python.

It shares nothing with the product: no kernel, no table, no preset. Tests hold the preset against it.
"""

from __future__ import annotations

import re
from collections import Counter

SENTENCE = re.compile("[^。．！？!?]+[。．！？!?]?")
HIRAGANA, KATAKANA = re.compile("[\u3041-\u3096]"), re.compile("[\u30a1-\u30fa]")
KANJI = re.compile("[々〇〻\u3400-\u9fff\uf900-\ufaff]")
MARKS = re.compile("[、，。．！？]")


def repeated(pieces: list[str]) -> tuple[float, float]:
    """Share of the pieces that stood before, and of their characters."""
    again = {piece: count - 1 for piece, count in Counter(pieces).items()}
    characters = sum(map(len, pieces))
    return (
        sum(again.values()) / len(pieces) if pieces else 0.0,
        sum(len(piece) * count for piece, count in again.items()) / characters if characters else 0.0,
    )


def first_reason(text: str) -> str | None:
    """The first rule that drops a text, None if it stays."""
    lines = [SENTENCE.findall(line) for line in text.split("\n")]
    paragraphs, sentences = ["".join(line) for line in lines], [one for line in lines for one in line]
    if len(text) < 400:
        return "too_short"
    paragraph_share, paragraph_characters = repeated(paragraphs)
    sentence_share, sentence_characters = repeated(sentences)
    for share, bound, reason in (
        (paragraph_share, 0.30, "repeated_paragraphs"),
        (sentence_share, 0.30, "repeated_sentences"),
        (paragraph_characters, 0.20, "repeated_paragraph_characters"),
        (sentence_characters, 0.20, "repeated_sentence_characters"),
    ):
        if share > bound:
            return reason
    return _repetition(text) or _letters(text) or _sentences(sentences)


def _repetition(text: str) -> str | None:
    def grams(n: int) -> Counter[str]:
        return Counter(text[at : at + n] for at in range(len(text) - n + 1))

    for n, bound in ((2, 0.20), (3, 0.18), (4, 0.16)):
        if max(grams(n).values()) / (len(text) - n + 1) > bound:
            return f"frequent_{n}gram"
    for n, bound in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)):
        counts = grams(n).values()
        if sum(count > 1 for count in counts) / len(counts) > bound:
            return f"repeated_{n}grams"
    return None


def _letters(text: str) -> str | None:
    hiragana, katakana = len(HIRAGANA.findall(text)), len(KATAKANA.findall(text))
    japanese = hiragana + katakana + len(KANJI.findall(text)) + len(MARKS.findall(text))
    if (hiragana / japanese if japanese else 0.0) < 0.2:
        return "too_little_hiragana"
    if katakana / japanese > 0.5:
        return "too_much_katakana"
    if japanese / len(text) < 0.5:
        return "too_little_japanese"
    return "too_few_japanese_characters" if japanese < 400 else None


def _sentences(sentences: list[str]) -> str | None:
    mean = sum(map(len, sentences)) / len(sentences)
    if mean < 20:
        return "short_sentences"
    if mean > 90:
        return "long_sentences"
    if max(map(len, sentences)) > 200:
        return "a_very_long_sentence"
    cut_off = sum(sentence.strip().endswith(("・", "…")) for sentence in sentences)
    return "cut_off_sentences" if cut_off / len(sentences) > 0.2 else None
