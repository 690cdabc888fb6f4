"""A byte-level BPE tokenizer as its `tokenizer.json` describes it, and the same with tokens added.

Tokens are added by appending merges, which rank after all old ones. Greedy BPE applies the best-ranked merge first,
so it reaches the base's own result before any new merge applies, and then only joins: the tokenisation of any text
is a coarsening of the base's (invariant I4).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from configs.atomic_file import read_json
from configs.errors import UserError
from tokenizer.byte_alphabet import to_bytes, to_piece


@dataclass(frozen=True)
class Merge:
    """Two tokens that are joined to a third."""

    left: int
    right: int
    result: int


class ByteBpe:
    """A byte-level BPE tokenizer.

    Args:
        definition: the content of `tokenizer.json`; taken over, do not change it afterwards.
        where: what messages call it.
    Raises:
        UserError: if it is another kind of tokenizer, or damaged; names what was found.
    """

    def __init__(self, definition: dict[str, Any], where: str) -> None:
        _refuse_other_kinds(definition, where)
        self.definition = definition
        self.where = where
        vocab: dict[str, int] = definition["model"]["vocab"]
        added = {token["id"]: token for token in definition.get("added_tokens", [])}
        self.added_ids = frozenset(added)
        self.bytes_of: dict[int, bytes] = {}
        for piece, number in vocab.items():
            content = None if number in added else to_bytes(piece)
            self.bytes_of[number] = piece.encode() if content is None else content
        for number, token in added.items():
            self.bytes_of[number] = token["content"].encode()
        # Ids may have holes; new ones come after the last, so that no old id moves.
        self.size = max(self.bytes_of) + 1

    @classmethod
    def from_folder(cls, folder: Path) -> ByteBpe:
        """Read the tokenizer of a Hugging Face folder.

        Raises:
            UserError: if there is none, or none of this kind.
        """
        path = folder / "tokenizer.json"
        if not path.exists():
            present = ", ".join(sorted(file.name for file in folder.glob("token*"))) or "no tokenizer file at all"
            raise UserError(
                f"{folder}: has no tokenizer.json (found: {present}); "
                "copy the base's tokenizer files into the folder, or name one that has them in tokenizer.base"
            )
        return cls(read_json(path), str(path))

    @cached_property
    def backend(self) -> Tokenizer:
        """The `tokenizers` object; text that looks like a special token is encoded as text."""
        backend = Tokenizer.from_str(json.dumps(self.definition, ensure_ascii=False))
        backend.encode_special_tokens = True
        return backend

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""
        ids: list[int] = self.backend.encode(text, add_special_tokens=False).ids
        return ids

    def normalised(self, text: str) -> str:
        """The text as the tokenizer's own normaliser leaves it."""
        normaliser = self.backend.normalizer
        return text if normaliser is None else str(normaliser.normalize_str(text))

    def extended(self, tokens: Sequence[bytes], merges: Sequence[Merge]) -> ByteBpe:
        """The same tokenizer with tokens, numbered from `size` on, and the merges that build them."""
        definition = copy.deepcopy(self.definition)
        model = definition["model"]
        # An added token whose id the model's vocabulary lacks is renumbered when the file is loaded.
        for token in definition.get("added_tokens", []):
            model["vocab"].setdefault(token["content"], token["id"])
        pieces = {number: piece for piece, number in model["vocab"].items()}
        for number, content in enumerate(tokens, start=self.size):
            pieces[number] = to_piece(content)
            model["vocab"][pieces[number]] = number
        as_pairs = not model["merges"] or not isinstance(model["merges"][0], str)
        for merge in merges:
            pair = [pieces[merge.left], pieces[merge.right]]
            model["merges"].append(pair if as_pairs else " ".join(pair))
        return ByteBpe(definition, f"{self.where} with {len(tokens)} new tokens")

    def without_shortcut(self) -> ByteBpe:
        """The same without `ignore_merges`, which takes a whole word from the vocabulary and so hides dead merges."""
        definition = copy.deepcopy(self.definition)
        definition["model"]["ignore_merges"] = False
        return ByteBpe(definition, self.where)


def _refuse_other_kinds(definition: Any, where: str) -> None:
    model = definition.get("model") if isinstance(definition, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise UserError(f"{where}: is no tokenizer.json of the tokenizers library: it has no model with a vocabulary")
    kind = model.get("type")
    if kind != "BPE":
        raise UserError(f"{where}: holds a {kind} tokenizer; byte-level BPE can be extended so far")
    if model.get("byte_fallback"):
        raise UserError(f"{where}: holds a SentencePiece BPE with byte fallback; byte-level BPE can be extended so far")
    if "merges" not in model:
        raise UserError(f"{where}: has no merges, without which BPE cannot encode; the file is incomplete")
    if "ByteLevel" not in json.dumps(definition.get("pre_tokenizer")):
        raise UserError(f"{where}: holds a BPE that is not byte-level; byte-level BPE can be extended so far")
