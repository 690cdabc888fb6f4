"""A SentencePiece BPE tokenizer with byte fallback (Llama 2, Mistral), and the same with tokens added.

SentencePiece has no merges: two neighbours are joined where together they are a piece, those of the best score first,
of equal ones the first in the text. `tokenizer.json` says the same by a list of merges. New pieces rank after all old
ones in both, so that the tokenisation of any text is a coarsening of the base's (invariant I4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tokenizer.extendable import Extension
from tokenizer.sp_model import SpModel
from tokenizer.sp_tokenizer import SPACE, SpTokenizer


class SpBpe(SpTokenizer):
    """A SentencePiece BPE with byte fallback."""

    kind = "SentencePiece BPE with byte fallback"
    invariants = ("I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9")

    def _with(self, definition: dict[str, Any], where: str, model: SpModel | None) -> SpBpe:
        return SpBpe(definition, where, model)

    def extended(self, extension: Extension) -> SpBpe:
        """The same tokenizer with tokens, numbered from `size` on.

        Each may be joined from any two pieces that make it up, as SentencePiece does, not only from those that the
        extension names.
        """
        definition = self.copied_definition()
        vocab, merges = definition["model"]["vocab"], definition["model"]["merges"]
        # An added token whose id the model's vocabulary lacks is renumbered when the file is loaded.
        for token in definition.get("added_tokens", []):
            vocab.setdefault(token["content"], token["id"])
        mergeable = {
            piece for number, piece in self._pieces.items() if number not in self.byte_of.keys() | self.added_ids
        }
        as_pairs = not merges or not isinstance(merges[0], str)
        pieces = [content.decode().replace(" ", SPACE) for content in extension.tokens]
        for number, piece in enumerate(pieces, start=self.size):
            vocab[piece] = number
            for left, right in splits(piece, mergeable):
                merges.append([left, right] if as_pairs else f"{left} {right}")
            mergeable.add(piece)
        model = None
        if self.model is not None:
            # Distinct in float32, in which scores are kept, up to 2^24.
            lowest = self.model.lowest_score()
            model = self._model_with([(piece, lowest - 1 - rank) for rank, piece in enumerate(pieces)], self.size)
        return SpBpe(definition, f"{self.where} with {len(pieces)} new tokens", model)


def splits(piece: str, known: Mapping[str, Any] | set[str]) -> Iterator[tuple[str, str]]:
    """The ways to join a piece from two, longest left part first.

    In that order of ranks the library joins a run of one character from its left end, as SentencePiece does.
    """
    for at in range(len(piece) - 1, 0, -1):
        if piece[:at] in known and piece[at:] in known:
            yield piece[:at], piece[at:]
