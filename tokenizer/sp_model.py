"""A SentencePiece model: the `tokenizer.model` file beside or instead of a `tokenizer.json`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from sentencepiece import SentencePieceProcessor, sentencepiece_model_pb2

from configs.errors import UserError

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Types of pieces, as the format numbers them."""

_MESSAGES: Any = sentencepiece_model_pb2

_SENTINEL = -1e8
"""Llama 2 and Mistral score runs of spaces with -1e9: below it no score says how likely a piece is."""

_ALGORITHMS: dict[int, str] = {1: "Unigram", 2: "BPE", 3: "word", 4: "character"}


class SpModel:
    """The content of a SentencePiece model.

    Args:
        content: the file's bytes.
        where: what messages call it.
    Raises:
        UserError: if it is damaged or no such file.
    """

    def __init__(self, content: bytes, where: str) -> None:
        self.where = where
        self.proto: Any = _MESSAGES.ModelProto()
        try:
            self.proto.ParseFromString(content)
            self._processor = SentencePieceProcessor(model_proto=content)
            if not self.proto.pieces:
                raise DecodeError("no pieces")
        except (DecodeError, RuntimeError) as error:
            raise UserError(
                f"{where}: cannot be read as a SentencePiece model: it is damaged or in another format; copy the "
                "base's file again, or remove it where there is a tokenizer.json"
            ) from error

    @classmethod
    def read(cls, path: Path) -> SpModel:
        """Read a file.

        Raises:
            UserError: if it is damaged or no such file.
        """
        return cls(path.read_bytes(), str(path))

    @property
    def algorithm(self) -> str:
        """What people call its way to cut text."""
        return _ALGORITHMS.get(self.proto.trainer_spec.model_type, "unknown")

    @property
    def byte_fallback(self) -> bool:
        """Whether unknown characters become bytes."""
        return bool(self.proto.trainer_spec.byte_fallback)

    @cached_property
    def pieces(self) -> list[str]:
        """Pieces by id."""
        return [piece.piece for piece in self.proto.pieces]

    @cached_property
    def types(self) -> list[int]:
        """Types of pieces by id."""
        return [piece.type for piece in self.proto.pieces]

    @cached_property
    def scores(self) -> list[float]:
        """Scores of pieces by id."""
        return [piece.score for piece in self.proto.pieces]

    @property
    def special_tokens(self) -> dict[str, str]:
        """Special tokens by the names that `tokenizer_config.json` has for them."""
        spec = self.proto.trainer_spec
        named = {"bos_token": spec.bos_id, "eos_token": spec.eos_id, "unk_token": spec.unk_id, "pad_token": spec.pad_id}
        return {name: self.pieces[number] for name, number in named.items() if number >= 0}

    def lowest_score(self) -> float:
        """Of the normal pieces that are scored at all."""
        normal = [
            score for score, kind in zip(self.scores, self.types, strict=True) if kind == NORMAL and score > _SENTINEL
        ]
        return min(normal, default=0.0)

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""
        ids: list[int] = self._processor.encode(text)
        return ids

    def extended(self, pieces: Sequence[tuple[str, float, int]]) -> SpModel:
        """The same with pieces after the last: text, score, type of each."""
        proto = _MESSAGES.ModelProto()
        proto.CopyFrom(self.proto)
        for piece, score, kind in pieces:
            proto.pieces.add(piece=piece, score=score, type=kind)
        proto.trainer_spec.vocab_size = len(proto.pieces)
        return SpModel(proto.SerializeToString(), f"{self.where} with {len(pieces)} new pieces")

    def serialised(self) -> bytes:
        """What a file of it holds."""
        content: bytes = self.proto.SerializeToString(deterministic=True)
        return content
