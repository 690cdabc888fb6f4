"""What is common to compiled tokenizers: columns in, ids out, and single documents left to the library.

What that library spends most of its time on is where each token stands in the text, which nobody asks here.

Shapes: N documents, T ids of all of them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.batch import utf8_of
from corpus.kernels.utf8 import Bytes, Int64
from tokenizer.extendable import Extendable

Ids = np.ndarray[Any, np.dtype[np.int32]]

TOO_LONG = -1
"""Count of a document that a kernel leaves to the library."""


class Compiled(ABC):
    """Encodes columns of text as `Extendable.backend` does, special tokens as text.

    Args:
        tokenizer: one whose every part is known.
        matched: added tokens that are not special, as a text may hold them; they are looked for before anything else
            is done, and documents with one are left to the library.
    """

    def __init__(self, tokenizer: Extendable, matched: set[str]) -> None:
        self._backend = tokenizer.backend
        self._matched = sorted(matched)

    @abstractmethod
    def _ids(self, utf8: Bytes, offset_N1: Int64) -> tuple[Ids, Int64]:
        """Ids of documents that begin at 0, and how many each has, or TOO_LONG."""

    def _normalised(self, text: pa.LargeStringArray) -> pa.LargeStringArray:
        """The documents as the kernel takes them."""
        return text

    def encode(self, text: pa.LargeStringArray) -> tuple[Ids, Int64]:
        """Ids of documents.

        Args:
            text: without nulls; at least one.
        Returns:
            int32 (T,), one document after the other; int64 (N,), how many ids each has.
        """
        plain = self._normalised(text)
        offset_N1, utf8 = utf8_of(plain)
        ids_T, count_N = self._ids(utf8[offset_N1[0] : offset_N1[-1]], offset_N1 - offset_N1[0])
        others = set(np.flatnonzero(count_N == TOO_LONG).tolist())
        for column in (text, plain) if plain is not text else (text,):
            others |= self.with_added_tokens(column)
        return self._replaced(ids_T, count_N, text, sorted(others)) if others else (ids_T, count_N)

    def with_added_tokens(self, text: pa.LargeStringArray) -> set[int]:
        """Numbers of the documents that are left to the library because one may stand in them."""
        found: set[int] = set()
        for content in self._matched:
            found |= set(np.flatnonzero(pc.match_substring(text, content).to_numpy(zero_copy_only=False)).tolist())
        return found

    def _replaced(self, ids_T: Ids, count_N: Int64, text: pa.LargeStringArray, others: list[int]) -> tuple[Ids, Int64]:
        """The same with some documents encoded by the library."""
        written_N = np.maximum(count_N, 0)
        by_document = np.split(ids_T, np.cumsum(written_N)[:-1])
        encodings = self._backend.encode_batch_fast([text[n].as_py() for n in others], add_special_tokens=False)
        for n, encoding in zip(others, encodings, strict=True):
            by_document[n] = np.array(encoding.ids, np.int32)
            count_N[n] = len(encoding)
        return np.concatenate(by_document), count_N


def added_but_not_special(tokenizer: Extendable) -> set[str]:
    """Contents of added tokens that are looked for even where special ones are not."""
    return {token["content"] for token in tokenizer.definition.get("added_tokens", []) if not token["special"]}
