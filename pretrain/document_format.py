"""How a document becomes tokens: its text, the token that ends it, the one that begins it where the base has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.atomic_file import read_json
from configs.errors import UserError
from pretrain.indexed_tokens import Int64, Tokens
from tokenizer.compile import compiled
from tokenizer.compiled import Compiled
from tokenizer.extendable import Extendable
from tokenizer.open import open_tokenizer


@dataclass(frozen=True)
class DocumentFormat:
    """Turns texts into token ids."""

    tokenizer: Extendable
    begin: tuple[int, ...]
    """Tokens that the base's own template puts before a text (Llama's <s>); most bases have none."""
    end: int

    @classmethod
    def from_folder(cls, folder: Path, end_of_document: str | None) -> DocumentFormat:
        """Read the format of a Hugging Face folder.

        Args:
            end_of_document: the token; None takes the tokenizer's eos.
        Raises:
            UserError: if there is no such token.
        """
        tokenizer = open_tokenizer(folder)
        token = end_of_document if end_of_document is not None else _eos(folder)
        end = tokenizer.backend.token_to_id(token) if token is not None else None
        if end is None:
            raise UserError(
                f"pretrain.end_of_document: {folder} has no token {token!r}; name one of its special tokens, "
                f"such as {_special(tokenizer)}"
            )
        template = tokenizer.backend.encode("", add_special_tokens=True).ids
        return cls(tokenizer, tuple(number for number in template if number != end), end)

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of documents, begin and end included; text that spells a special token stays text."""
        encodings = self.tokenizer.backend.encode_batch(list(texts), add_special_tokens=False)
        return [[*self.begin, *encoding.ids, self.end] for encoding in encodings]

    def encode_column(self, text: pa.LargeStringArray, dtype: np.dtype[Any]) -> tuple[Tokens, Int64]:
        """The same for many documents at once.

        Returns:
            Ids of all documents, one after the other, as `dtype` (T,); tokens of each document (N,).
        """
        ids_I, text_N = self._ids(text)
        length_N = text_N + len(self.begin) + 1
        first_N = np.cumsum(length_N) - length_N
        tokens_T = np.empty(int(length_N.sum()), dtype)
        of_text_T = np.ones(len(tokens_T), bool)
        for at, token in [
            *((first_N + k, token) for k, token in enumerate(self.begin)),
            (first_N + length_N - 1, self.end),
        ]:
            tokens_T[at], of_text_T[at] = token, False
        tokens_T[of_text_T] = ids_I
        return tokens_T, length_N

    @cached_property
    def _compiled(self) -> Compiled | None:
        return compiled(self.tokenizer)

    def _ids(self, text: pa.LargeStringArray) -> tuple[Tokens, Int64]:
        if self._compiled is not None:
            return self._compiled.encode(text)
        # Without offsets into the text, which nobody needs, it takes two thirds of the time.
        encodings = self.tokenizer.backend.encode_batch_fast(text.to_pylist(), add_special_tokens=False)
        text_N = np.fromiter(map(len, encodings), np.int64, len(encodings))
        ids = chain.from_iterable(encoding.ids for encoding in encodings)
        return np.fromiter(ids, np.int32, int(text_N.sum())), text_N


def _eos(folder: Path) -> str | None:
    path = folder / "tokenizer_config.json"
    token = read_json(path).get("eos_token") if path.exists() else None
    return token.get("content") if isinstance(token, dict) else token


def _special(tokenizer: Extendable) -> str:
    special = [token["content"] for token in tokenizer.definition.get("added_tokens", []) if token.get("special")]
    return ", ".join(repr(token) for token in special[:4]) or "(it has none)"
