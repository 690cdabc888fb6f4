"""A SentencePiece Unigram tokenizer with byte fallback (llm-jp), and the same with tokens added.

It takes the cut of a text whose pieces have the highest sum of scores, which are log probabilities. New pieces get
theirs from how often they were counted. The lowest and the highest score stay what they were, because unknown
characters are scored by the lowest: so text in which no new piece stands keeps its ids. That cuts of the extension are
cuts of the base (invariant I4) holds for no Unigram.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from tokenizer.extendable import Extension
from tokenizer.sp_model import SpModel
from tokenizer.sp_tokenizer import SPACE, SpTokenizer

_ROUNDING = 2.0**-24
"""Most that adding a number of 32 bits changes a sum by, as a share of it."""


class SpUnigram(SpTokenizer):
    """A SentencePiece Unigram with byte fallback."""

    kind = "SentencePiece Unigram with byte fallback"
    invariants = ("I1", "I2", "I3", "I5", "I6", "I7", "I8", "I9")
    joins = False

    def _with(self, definition: dict[str, Any], where: str, model: SpModel | None) -> SpUnigram:
        return SpUnigram(definition, where, model)

    @cached_property
    def backend(self) -> Tokenizer:
        """As the library reads it, but that text which spells <s> or <0x0A> is cut after its first character.

        The library would find the piece of that name, whose score of 0 is the highest, and make of a document's text
        the end of a document; SentencePiece looks for normal pieces only.
        """
        literals = sorted({*(self._pieces[number] for number in self._apart if number in self._pieces)})
        pattern = "|".join(f"{_escaped(one[0])}(?={_escaped(one[1:])})" for one in literals if len(one) > 1)
        cut = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "MergedWithPrevious", "invert": False}
        words = self.definition.get("pre_tokenizer")
        parts = [cut] if words is None else [words, cut]
        split = {**self.definition, "pre_tokenizer": {"type": "Sequence", "pretokenizers": parts}}
        return self._read(split if literals else self.definition)

    def encode_as_loaded(self, text: str) -> list[int]:
        ids: list[int] = self._as_loaded.encode(text, add_special_tokens=False).ids
        return ids

    @cached_property
    def _as_loaded(self) -> Tokenizer:
        return self._read(self.definition)

    @cached_property
    def _apart(self) -> frozenset[int]:
        """Ids that no text is cut into as text."""
        return self.added_ids | self.byte_of.keys()

    @cached_property
    def score_of(self) -> dict[int, float]:
        """Scores of what text is cut into."""
        vocab = self.definition["model"]["vocab"]
        return {number: score for number, (_, score) in enumerate(vocab) if number not in self._apart}

    def same_cut(self, ids: Sequence[int], others: Sequence[int]) -> bool:
        """The library adds scores with 64 bits, SentencePiece with 32: either may take one of two equally good cuts."""
        if ids == others:
            return True
        one, other = ([number for number in some if number in self.byte_of] for some in (ids, others))
        ours, theirs = (sum(self.score_of.get(number, 0.0) for number in some) for some in (ids, others))
        return one == other and abs(ours - theirs) <= len(others) * _ROUNDING * abs(ours)

    def extended(self, extension: Extension) -> SpUnigram:
        """The same tokenizer with tokens, numbered from `size` on; the extension's merges do not matter."""
        definition = self.copied_definition()
        vocab = definition["model"]["vocab"]
        added = {token["id"]: token["content"] for token in definition.get("added_tokens", [])}
        lowest, highest = min(self.score_of.values()), max(self.score_of.values())
        # What the list lacks up to the first new token; the lowest score, so that unknown characters keep theirs.
        vocab += [[added.get(number, f"<hole_{number}>"), lowest] for number in range(len(vocab), self.size)]
        scored = []
        shares = [
            math.log(count / max(extension.total, count, 1)) for count in extension.counts[len(extension.scores) :]
        ]
        for content, score in zip(extension.tokens, [*extension.scores, *shares], strict=True):
            # As it comes back from tokenizer.model, which holds 32 bits of it.
            rounded = float(np.float32(min(max(score, lowest), highest)))
            scored.append((content.decode().replace(" ", SPACE), rounded))
        vocab += [[piece, score] for piece, score in scored]
        where = f"{self.where} with {len(scored)} new tokens"
        return SpUnigram(definition, where, self._model_with(scored, self.size))


def _escaped(text: str) -> str:
    """For the library's regular expressions."""
    return "".join(character if character.isalnum() or ord(character) > 127 else f"\\{character}" for character in text)
