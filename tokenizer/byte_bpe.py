"""A byte-level BPE tokenizer as its `tokenizer.json` describes it, and the same with tokens added.

Tokens are added by appending merges, which rank after all old ones. Greedy BPE applies the best-ranked merge first,
so it reaches the base's own result before any new merge applies, and then only joins: the tokenisation of any text
is a coarsening of the base's (invariant I4).
"""

from __future__ import annotations

from typing import Any

from tokenizer.byte_alphabet import to_bytes, to_piece
from tokenizer.definition import pieces_of
from tokenizer.extendable import Extendable, Extension
from tokenizer.text_bytes import is_text_or_beginning


class ByteBpe(Extendable):
    """A byte-level BPE tokenizer.

    Args:
        definition: the content of `tokenizer.json`; taken over, do not change it afterwards.
        where: what messages call it.
    Raises:
        UserError: if one piece has two ids, or two one.
    """

    kind = "byte-level BPE"
    invariants = ("I1", "I2", "I3", "I4", "I5", "I6", "I8", "I9")

    def __init__(self, definition: dict[str, Any], where: str) -> None:
        self._pieces = pieces_of(definition, where)
        super().__init__(definition, where)

    def _bytes_of(self) -> dict[int, bytes]:
        bytes_of: dict[int, bytes] = {}
        for number, piece in self._pieces.items():
            content = None if number in self.added_ids else to_bytes(piece)
            bytes_of[number] = piece.encode() if content is None else content
        for token in self.definition.get("added_tokens", []):
            bytes_of[token["id"]] = token["content"].encode()
        return bytes_of

    def normalised(self, text: str) -> str:
        normaliser = self.backend.normalizer
        return text if normaliser is None else str(normaliser.normalize_str(text))

    def may_be_token(self, content: bytes) -> bool:
        return max(content) >= 0x80 and is_text_or_beginning(content)

    def extended(self, extension: Extension) -> ByteBpe:
        """The same tokenizer with tokens, numbered from `size` on, and the merges that build them."""
        definition = self.copied_definition()
        model = definition["model"]
        # An added token whose id the model's vocabulary lacks is renumbered when the file is loaded.
        for token in definition.get("added_tokens", []):
            model["vocab"].setdefault(token["content"], token["id"])
        pieces = {number: piece for piece, number in model["vocab"].items()}
        for number, content in enumerate(extension.tokens, start=self.size):
            pieces[number] = to_piece(content)
            model["vocab"][pieces[number]] = number
        as_pairs = not model["merges"] or not isinstance(model["merges"][0], str)
        for merge in extension.merges:
            pair = [pieces[merge.left], pieces[merge.right]]
            model["merges"].append(pair if as_pairs else " ".join(pair))
        return ByteBpe(definition, f"{self.where} with {len(extension.tokens)} new tokens")

    def without_shortcut(self) -> ByteBpe:
        """The same without `ignore_merges`, which takes a whole word from the vocabulary and so hides dead merges."""
        definition = self.copied_definition()
        definition["model"]["ignore_merges"] = False
        return ByteBpe(definition, self.where)
