"""A byte-level BPE tokenizer compiled: the ids that the `tokenizers` library gives, several times as fast on a core.

What that library spends most of its time on is where each token stands in the text, which nobody asks here. Only
tokenizers whose every part is known are compiled; whatever else there is, the library encodes.

Shapes: N documents, T ids of all of them, W words.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from corpus.batch import utf8_of
from corpus.kernels.utf8 import Bytes, Int64
from tokenizer import bpe_kernel
from tokenizer.byte_alphabet import to_bytes, to_piece
from tokenizer.byte_bpe import ByteBpe
from tokenizer.known_words import KnownWords
from tokenizer.nfc import Nfc
from tokenizer.point_classes import PointClasses


class CompiledBpe:
    """Encodes columns of text as `ByteBpe.backend` does, special tokens as text.

    Args:
        tokenizer: one that `of` has found to be known.
        words: how it cuts text into words.
    """

    def __init__(self, tokenizer: ByteBpe, words: KnownWords) -> None:
        self._backend = tokenizer.backend
        self._vocabulary = _vocabulary(tokenizer.definition["model"])
        self._pattern, self._classes = words.pattern, PointClasses(words.classes)
        self._normalise = Nfc() if tokenizer.definition.get("normalizer") else None
        added = tokenizer.definition.get("added_tokens", [])
        matched = {token["content"] for token in added if not token["special"]}
        # One may be looked for as the normaliser leaves it, and then in text that it has normalised.
        self._matched = sorted(matched | {tokenizer.normalised(content) for content in matched})

    @classmethod
    def of(cls, tokenizer: ByteBpe) -> Self | None:
        """The tokenizer compiled; none if it has a part that is not known here."""
        definition, model = tokenizer.definition, tokenizer.definition["model"]
        words = KnownWords.of(definition.get("pre_tokenizer"))
        known = (
            definition.get("normalizer") in (None, {"type": "NFC"})
            and all(definition.get(part) is None for part in ("truncation", "padding"))
            and all(not model.get(key) for key in _MODEL_KEYS)
        )
        return cls(tokenizer, words) if words is not None and known else None

    def encode(self, text: pa.LargeStringArray) -> tuple[bpe_kernel.Ids, Int64]:
        """Ids of documents.

        Args:
            text: without nulls; at least one.
        Returns:
            int32 (T,), one document after the other; int64 (N,), how many ids each has.
        """
        plain = text if self._normalise is None else self._normalise(text)
        offset_N1, utf8 = utf8_of(plain)
        utf8 = utf8[offset_N1[0] : offset_N1[-1]]
        ids_T, count_N = np.empty(len(utf8), np.int32), np.empty(len(text), np.int64)
        written = bpe_kernel.encode_documents(
            utf8, offset_N1 - offset_N1[0], self._pattern, self._classes.of(utf8), self._vocabulary, ids_T, count_N
        )
        ids_T = ids_T[:written]
        others = set(np.flatnonzero(count_N == bpe_kernel.TOO_LONG).tolist())
        for column in (text, plain) if plain is not text else (text,):
            others |= self._with_added_tokens(column)
        return self._replaced(ids_T, count_N, text, sorted(others)) if others else (ids_T, count_N)

    def _with_added_tokens(self, text: pa.LargeStringArray) -> set[int]:
        """Documents with tokens that are looked for before anything else is done."""
        found: set[int] = set()
        for content in self._matched:
            found |= set(np.flatnonzero(pc.match_substring(text, content).to_numpy(zero_copy_only=False)).tolist())
        return found

    def _replaced(
        self, ids_T: bpe_kernel.Ids, count_N: Int64, text: pa.LargeStringArray, others: list[int]
    ) -> tuple[bpe_kernel.Ids, Int64]:
        """The same with some documents encoded by the library."""
        written_N = np.maximum(count_N, 0)
        by_document = np.split(ids_T, np.cumsum(written_N)[:-1])
        encodings = self._backend.encode_batch_fast([text[n].as_py() for n in others], add_special_tokens=False)
        for n, encoding in zip(others, encodings, strict=True):
            by_document[n] = np.array(encoding.ids, np.int32)
            count_N[n] = len(encoding)
        return np.concatenate(by_document), count_N


_MODEL_KEYS = (
    "dropout",
    "unk_token",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "byte_fallback",
)
"""Of a BPE model; each must be without effect."""


def _vocabulary(model: dict[str, Any]) -> bpe_kernel.Vocabulary:
    vocab: dict[str, int] = model["vocab"]
    byte_ids = np.array([vocab.get(to_piece(bytes([byte])), bpe_kernel.NO_TOKEN) for byte in range(256)], np.int32)
    pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    merge_M3 = np.array([(vocab[a], vocab[b], vocab[a + b]) for a, b in pairs], np.int64).reshape(-1, 3)
    slots = 2 << max(len(pairs), 1).bit_length()
    keys, values = np.full(slots, bpe_kernel.NO_PAIR), np.zeros(slots, np.uint64)
    bpe_kernel.put_merges(merge_M3, keys, values)
    return bpe_kernel.Vocabulary(byte_ids, keys, values, *_whole_words(vocab if model.get("ignore_merges") else {}))


def _whole_words(vocab: dict[str, int]) -> tuple[Bytes, Int64, Int64, bpe_kernel.Ids]:
    """The words of a vocabulary, where each begins, their hash table, and their ids."""
    spelt = [(content, number) for piece, number in vocab.items() if (content := to_bytes(piece))]
    words = np.array(bytearray(b"".join(content for content, _ in spelt)), np.uint8)
    offset_W1 = np.cumsum([0, *(len(content) for content, _ in spelt)], dtype=np.int64)
    slots = np.full(2 << max(len(spelt), 1).bit_length(), bpe_kernel.NO_WORD, np.int64)
    bpe_kernel.put_words(words, offset_W1, slots)
    return words, offset_W1, slots, np.array([number for _, number in spelt], np.int32)
