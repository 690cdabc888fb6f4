"""What the two SentencePiece kinds have in common: bytes of unknown characters, U+2581 for spaces, the dummy prefix.

A folder may hold a `tokenizer.json`, a `tokenizer.model`, or both, which then must have the same pieces.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

from configs.errors import UserError
from tokenizer.definition import BYTE_PIECES, pieces_of
from tokenizer.extendable import Extendable
from tokenizer.sp_model import CONTROL, USER_DEFINED, SpModel
from tokenizer.text_bytes import is_text

SPACE = "\u2581"
"""How SentencePiece writes a space; in a text it stands for one, too."""


class SpTokenizer(Extendable):
    """A SentencePiece tokenizer with byte fallback.

    Args:
        definition: the content of `tokenizer.json`, or what says the same as `model`; taken over.
        where: what messages call it.
        model: the content of `tokenizer.model`, where there is one.
    Raises:
        UserError: if one piece has two ids, or two one.
    """

    def __init__(self, definition: dict[str, Any], where: str, model: SpModel | None = None) -> None:
        self.model = model
        self._pieces = pieces_of(definition, where)
        super().__init__(definition, where)

    @abstractmethod
    def _with(self, definition: dict[str, Any], where: str, model: SpModel | None) -> Self:
        """One of this kind."""

    def _bytes_of(self) -> dict[int, bytes]:
        added = {token["id"]: token["content"].encode() for token in self.definition.get("added_tokens", [])}
        plain = {
            number: bytes([BYTE_PIECES[piece]]) if piece in BYTE_PIECES else piece.replace(SPACE, " ").encode()
            for number, piece in self._pieces.items()
        }
        return plain | added

    @cached_property
    def byte_of(self) -> Mapping[int, int]:
        """The byte that an id is for where a character is unknown."""
        return {number: BYTE_PIECES[piece] for number, piece in self._pieces.items() if piece in BYTE_PIECES}

    @cached_property
    def characters(self) -> frozenset[str]:
        """Pieces of one character, U+2581 among them; all others are spelt by their bytes."""
        return frozenset(piece for piece in self._pieces.values() if len(piece) == 1)

    def normalised(self, text: str) -> str:
        normaliser, words = self.backend.normalizer, self.backend.pre_tokenizer
        if normaliser is not None:
            text = normaliser.normalize_str(text)
        if words is not None:
            text = "".join(piece for piece, _ in words.pre_tokenize_str(text))
        return text.replace(SPACE, " ")

    def may_be_token(self, content: bytes) -> bool:
        # With a space in it, it would come before a run of spaces that the base has a piece for.
        if max(content) < 0x80 or b" " in content or not is_text(content):
            return False
        text = content.decode()
        return SPACE not in text and all(character in self.characters for character in text if character.isascii())

    @property
    def other_files(self) -> Mapping[str, bytes]:
        return {} if self.model is None else {"tokenizer.model": self.model.serialised()}

    @property
    def settings(self) -> Mapping[str, Any]:
        return {} if self.model is None else self.model.special_tokens

    def encode_by_other_file(self, text: str) -> list[int] | None:
        return None if self.model is None else self.model.encode(text)

    def without_shortcut(self) -> Self:
        """The same without the dummy prefix: for text that stands inside another."""
        definition = self.copied_definition()
        definition["normalizer"] = _without_prefix(definition.get("normalizer"))
        definition["pre_tokenizer"] = _without_prefix(definition.get("pre_tokenizer"))
        return self._with(definition, self.where, None)

    def _model_with(self, scored: list[tuple[str, float]], size: int) -> SpModel | None:
        """The `.model` with new pieces numbered from `size` on.

        Added tokens that only `tokenizer.json` has become pieces that no text is cut into; so do ids without a token.
        """
        if self.model is None:
            return None
        added = {token["id"]: token for token in self.definition.get("added_tokens", [])}
        between = []
        for number in range(len(self.model.pieces), size):
            token = added.get(number)
            special = token is None or token["special"]
            content = f"<hole_{number}>" if token is None else token["content"]
            between.append((content, 0.0, CONTROL if special else USER_DEFINED))
        return self.model.extended([*between, *((piece, score, 1) for piece, score in scored)])

    def refuse_damaged(self) -> None:
        """Raise a UserError if byte pieces are missing, or the two files do not agree."""
        missing = next((piece for piece in BYTE_PIECES if piece not in self._pieces.values()), None)
        if missing is not None:
            raise UserError(
                f"{self.where}: lacks {missing}, by which unknown characters are spelt; the file is incomplete"
            )
        if self.model is not None:
            self._refuse_disagreement(self.model)

    def _refuse_disagreement(self, model: SpModel) -> None:
        added = {token["id"]: token["content"] for token in self.definition.get("added_tokens", [])}
        for number, piece in enumerate(model.pieces):
            ours = added.get(number, self._pieces.get(number))
            if ours != piece and not (ours is None and piece == f"<hole_{number}>"):
                raise UserError(
                    f"{self.where}: id {number} is {ours!r}, but {piece!r} in {model.where}; "
                    "they are of different tokenizers: copy both from the same base, or remove the wrong one"
                )
        beyond = next((number for number in self._pieces if number >= len(model.pieces) and number not in added), None)
        if beyond is not None:
            raise UserError(
                f"{self.where}: id {beyond} is {self._pieces[beyond]!r}, which {model.where} lacks (it has "
                f"{len(model.pieces)} pieces); copy both from the same base, or remove the wrong one"
            )


def _without_prefix(part: Any) -> Any:
    """A normaliser or pre-tokeniser without what puts a space before a text."""
    if not isinstance(part, dict):
        return part
    if part.get("type") == "Prepend":
        return None
    if part.get("type") == "Metaspace":
        return {**part, "prepend_scheme": "never"}
    for key in ("normalizers", "pretokenizers"):
        if key in part:
            kept = [one for one in map(_without_prefix, part[key]) if one is not None]
            return {**part, key: kept}
    return part
