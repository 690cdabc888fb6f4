"""A byte-level BPE tokenizer compiled: the ids that the `tokenizers` library gives, several times as fast on a core.

Only tokenizers whose every part is known are compiled; whatever else there is, the library encodes.

Shapes: N documents, T ids of all of them, W words.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pyarrow as pa

from corpus.batch import utf8_of
from corpus.kernels.utf8 import Bytes, Int64, UInt64
from tokenizer import bpe_kernel, unit_kernel
from tokenizer.byte_alphabet import to_bytes, to_piece
from tokenizer.byte_bpe import ByteBpe
from tokenizer.compiled import Compiled, Ids, added_but_not_special
from tokenizer.known_words import KnownWords, Mask
from tokenizer.nfc import Nfc
from tokenizer.point_classes import PointClasses


class CompiledBpe(Compiled):
    """Encodes columns of text as `ByteBpe.backend` does, special tokens as text.

    Args:
        tokenizer: one that `of` has found to be known.
        words: how it cuts text into words.
    """

    def __init__(self, tokenizer: ByteBpe, words: KnownWords) -> None:
        added = added_but_not_special(tokenizer)
        # One may be looked for as the normaliser leaves it, and then in text that it has normalised.
        super().__init__(tokenizer, added | {tokenizer.normalised(content) for content in added})
        self._vocabulary = _vocabulary(tokenizer.definition["model"])
        self._pattern, self._classes = words.pattern, PointClasses(words.classes)
        self._nfc = Nfc() if tokenizer.definition.get("normalizer") else None

    @classmethod
    def of(cls, tokenizer: ByteBpe) -> Self | None:
        """The tokenizer compiled; none if it has a part that is not known here."""
        definition, model = tokenizer.definition, tokenizer.definition["model"]
        words = KnownWords.of(definition.get("pre_tokenizer"))
        known = (
            definition.get("normalizer") in (None, {"type": "NFC"})
            and not model.get("byte_fallback")
            and not model.get("unk_token")
            and without_other_settings(definition)
        )
        return cls(tokenizer, words) if words is not None and known else None

    def _normalised(self, text: pa.LargeStringArray) -> pa.LargeStringArray:
        return text if self._nfc is None else self._nfc(text)

    def normalised(self, text: pa.LargeStringArray) -> tuple[pa.LargeStringArray, Mask]:
        """Documents as the tokenizer's normaliser leaves them, and which of them `encode_in_words` knows; one or more.

        It does not know those with tokens that are looked for before anything else is done.
        """
        plain = self._normalised(text)
        known_N = np.ones(len(text), np.bool_)
        known_N[list(self.with_added_tokens(text) | self.with_added_tokens(plain))] = False
        return plain, known_N

    def encode_in_words(self, plain: pa.LargeStringArray, marks: Bytes) -> tuple[Ids, Int64]:
        """Ids of documents that are known and normalised, and where words begin.

        Args:
            marks: of each byte and two more after each document; WORD is set where a word begins.
        Returns:
            As `encode`, but for documents with a word too long: their count is TOO_LONG, and they have no ids.
        """
        offset_N1, utf8 = utf8_of(plain)
        utf8, offset_N1 = utf8[offset_N1[0] : offset_N1[-1]], offset_N1 - offset_N1[0]
        ids_T, count_N = self._ids(utf8, offset_N1)
        unit_kernel.mark_words(utf8, offset_N1, self._pattern, self._classes.of(utf8), count_N, marks)
        return ids_T, count_N

    def _ids(self, utf8: Bytes, offset_N1: Int64) -> tuple[Ids, Int64]:
        ids_T, count_N = np.empty(len(utf8), np.int32), np.empty(len(offset_N1) - 1, np.int64)
        written = bpe_kernel.encode_documents(
            utf8, offset_N1, self._pattern, self._classes.of(utf8), self._vocabulary, ids_T, count_N
        )
        return ids_T[:written], count_N


_MODEL_KEYS = ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
"""Of a BPE model; each must be without effect."""


def without_other_settings(definition: dict[str, Any]) -> bool:
    """Whether a BPE is without what no published tokenizer has."""
    return all(definition.get(part) is None for part in ("truncation", "padding")) and not any(
        definition["model"].get(key) for key in _MODEL_KEYS
    )


def merge_table(model: dict[str, Any]) -> tuple[UInt64, UInt64]:
    """The merges of a model as a hash table."""
    vocab: dict[str, int] = model["vocab"]
    pairs = [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"]]
    merge_M3 = np.array([(vocab[a], vocab[b], vocab[a + b]) for a, b in pairs], np.int64).reshape(-1, 3)
    slots = 2 << max(len(pairs), 1).bit_length()
    keys, values = np.full(slots, bpe_kernel.NO_PAIR), np.zeros(slots, np.uint64)
    bpe_kernel.put_merges(merge_M3, keys, values)
    return keys, values


def _vocabulary(model: dict[str, Any]) -> bpe_kernel.Vocabulary:
    vocab: dict[str, int] = model["vocab"]
    byte_ids = np.array([vocab.get(to_piece(bytes([byte])), bpe_kernel.NO_TOKEN) for byte in range(256)], np.int32)
    whole = _whole_words(vocab if model.get("ignore_merges") else {})
    keys, values = merge_table(model)
    return bpe_kernel.Vocabulary(byte_ids, keys, values, *whole)


def _whole_words(vocab: dict[str, int]) -> tuple[Bytes, Int64, Int64, Ids]:
    """The words of a vocabulary, where each begins, their hash table, and their ids."""
    spelt = [(content, number) for piece, number in vocab.items() if (content := to_bytes(piece))]
    words = np.array(bytearray(b"".join(content for content, _ in spelt)), np.uint8)
    offset_W1 = np.cumsum([0, *(len(content) for content, _ in spelt)], dtype=np.int64)
    slots = np.full(2 << max(len(spelt), 1).bit_length(), bpe_kernel.NO_WORD, np.int64)
    bpe_kernel.put_words(words, offset_W1, slots)
    return words, offset_W1, slots, np.array([number for _, number in spelt], np.int32)
