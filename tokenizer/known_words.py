"""Pre-tokenizers that are known exactly, and the classes of characters that their patterns speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from tokenizers import Regex, pre_tokenizers

from corpus.kernels.utf8 import Bytes, Int64
from tokenizer import word_kernel

Mask = np.ndarray[Any, np.dtype[np.bool_]]

_END = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LETTERS = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_PREFIX = r"[^\r\n\p{L}\p{N}]?"

SPLITS = {
    "llama3": (rf"{_CONTRACTIONS}|{_LETTERS}|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_END}", word_kernel.LLAMA3),
    "qwen": (rf"{_CONTRACTIONS}|{_LETTERS}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_END}", word_kernel.QWEN),
    "tekken": (
        rf"{_PREFIX}{_UPPER}*{_LOWER}+|{_PREFIX}{_UPPER}+{_LOWER}*|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_END}",
        word_kernel.TEKKEN,
    ),
}
"""Published patterns by the family that published them, sources in `word_kernel`."""

_CASELESS = ((r"\p{L}", word_kernel.CASELESS), (r"\p{N}", word_kernel.NUMBER), (r"\s", word_kernel.SPACE))
_NEWLINES = ((r"[\r\n]", word_kernel.NEWLINE),)
_CASED = (
    (r"\p{M}", word_kernel.MARK),
    (r"[\p{Lu}\p{Lt}]", word_kernel.UPPER),
    (r"\p{Ll}", word_kernel.LOWER),
)


@dataclass(frozen=True)
class KnownWords:
    """How a pre-tokenizer cuts text into words."""

    pattern: int
    """Of `word_kernel`."""
    digits_alone: bool = False
    """Whether each digit is a word of its own before the pattern is looked for."""

    @classmethod
    def of(cls, pre_tokenizer: Any) -> Self | None:
        """That of a tokenizer.json, if it is known."""
        found = _KNOWN.get(_plain(pre_tokenizer))
        return None if found is None else cls(*found)

    def classes(self, points: Int64) -> Bytes:
        """The class of each code point: the library is asked, whose Unicode tables count."""
        text = "".join(map(chr, points.tolist()))
        kinds = np.full(len(text), word_kernel.OTHER, np.uint8)
        patterns = [*_CASELESS]
        if self.pattern != word_kernel.GPT2:
            patterns += _NEWLINES
        if self.pattern == word_kernel.TEKKEN:
            patterns += _CASED
        for pattern, kind in patterns:
            kinds[_matched(text, pattern)] = kind
        if self.digits_alone:
            kinds[_digits(text)] = word_kernel.ALONE
        return kinds


def _plain(pre_tokenizer: Any) -> str:
    """A pre-tokenizer in words, offsets aside."""
    if isinstance(pre_tokenizer, Mapping):
        parts = pre_tokenizer.get("pretokenizers")
        if parts is not None:
            return ", ".join(map(_plain, parts))
        settings = {key: value for key, value in pre_tokenizer.items() if key not in ("type", "trim_offsets")}
        return f"{pre_tokenizer.get('type')} {sorted(settings.items())}"
    return repr(pre_tokenizer)


def _known() -> dict[str, tuple[int, bool]]:
    level = {"type": "ByteLevel", "add_prefix_space": False}
    gpt2, bytes_only = _plain({**level, "use_regex": True}), _plain({**level, "use_regex": False})
    digits = _plain({"type": "Digits", "individual_digits": True})
    known = {gpt2: (word_kernel.GPT2, False), f"{digits}, {gpt2}": (word_kernel.GPT2, True)}  # GPT-2's and SmolLM's
    for regex, pattern in SPLITS.values():
        split = {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}
        known[f"{_plain(split)}, {bytes_only}"] = (pattern, False)
    return known


_KNOWN = _known()


def _matched(text: str, pattern: str) -> Mask:
    """Which characters of a text the pattern of one character matches."""
    matched = np.ones(len(text), bool)
    for _, (begin, end) in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(text):
        matched[begin:end] = False
    return matched


def _digits(text: str) -> Mask:
    """Which characters of a text are digits to the pre-tokenizer of that name."""
    # It gives runs of others and of digits in turn; the first is of others, thanks to the letter.
    runs = pre_tokenizers.Digits(individual_digits=False).pre_tokenize_str(f"a{text}")
    digits = np.zeros(len(text) + 1, bool)
    for _, (begin, end) in runs[1::2]:
        digits[begin:end] = True
    return digits[1:]
