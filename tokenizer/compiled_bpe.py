"""A byte-level BPE tokenizer compiled: the ids that the `tokenizers` library gives, several times as fast on a core.

What that library spends most of its time on is where each token stands in the text, which nobody asks here. Only
tokenizers whose every part is known are compiled; whatever else there is, the library encodes.

Shapes: N documents, T ids of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Regex, pre_tokenizers

from corpus.batch import utf8_of
from corpus.kernels.utf8 import Bytes, Int64
from tokenizer import bpe_kernel
from tokenizer.byte_alphabet import to_piece
from tokenizer.byte_bpe import ByteBpe

_CODE_POINTS = 0x110000


class CompiledBpe:
    """Encodes columns of text as `ByteBpe.backend` does, special tokens as text.

    Args:
        tokenizer: one that `of` has found to be known.
        digits_alone: whether each digit is a word of its own.
    """

    def __init__(self, tokenizer: ByteBpe, *, digits_alone: bool) -> None:
        self._backend = tokenizer.backend
        model = tokenizer.definition["model"]
        vocab: dict[str, int] = model["vocab"]
        self._byte_ids = np.array(
            [vocab.get(to_piece(bytes([byte])), bpe_kernel.NO_TOKEN) for byte in range(256)], np.int32
        )
        pairs = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
        merge_M3 = np.array([(vocab[a], vocab[b], vocab[a + b]) for a, b in pairs], np.int64).reshape(-1, 3)
        slots = 2 << max(len(pairs), 1).bit_length()
        self._keys, self._values = np.full(slots, bpe_kernel.NO_PAIR), np.zeros(slots, np.uint64)
        bpe_kernel.put_merges(merge_M3, self._keys, self._values)
        self._digits_alone = digits_alone
        self._classes = np.full(_CODE_POINTS, bpe_kernel.UNKNOWN, np.uint8)
        self._matched = [
            token["content"] for token in tokenizer.definition.get("added_tokens", []) if not token["special"]
        ]

    @classmethod
    def of(cls, tokenizer: ByteBpe) -> Self | None:
        """The tokenizer compiled; none if it has a part that is not known here."""
        definition, model = tokenizer.definition, tokenizer.definition["model"]
        digits_alone = _WORDS.get(_plain(definition.get("pre_tokenizer")))
        known = (
            digits_alone is not None
            and all(definition.get(part) is None for part in ("normalizer", "truncation", "padding"))
            and all(not model.get(key) for key in _MODEL_KEYS)
        )
        return cls(tokenizer, digits_alone=bool(digits_alone)) if known else None

    def encode(self, text: pa.LargeStringArray) -> tuple[bpe_kernel.Ids, Int64]:
        """Ids of documents.

        Args:
            text: without nulls; at least one.
        Returns:
            int32 (T,), one document after the other; int64 (N,), how many ids each has.
        """
        offset_N1, utf8 = utf8_of(text)
        utf8 = utf8[offset_N1[0] : offset_N1[-1]]
        self._learn_classes(utf8)
        ids_T, count_N = np.empty(len(utf8), np.int32), np.empty(len(text), np.int64)
        written = bpe_kernel.encode_documents(
            utf8, offset_N1 - offset_N1[0], self._classes, self._byte_ids, self._keys, self._values, ids_T, count_N
        )
        ids_T = ids_T[:written]
        others = set(np.flatnonzero(count_N == bpe_kernel.TOO_LONG).tolist()) | self._with_added_tokens(text)
        return self._replaced(ids_T, count_N, text, sorted(others)) if others else (ids_T, count_N)

    def _learn_classes(self, utf8: Bytes) -> None:
        """Ask the library, whose Unicode tables count, for the classes of characters that are new in this text."""
        new = bpe_kernel.unknown(utf8, self._classes)
        if not len(new):
            return
        text = "".join(map(chr, new.tolist()))
        kinds = np.full(len(text), bpe_kernel.OTHER, np.uint8)
        for pattern, kind in ((r"\p{L}", bpe_kernel.LETTER), (r"\p{N}", bpe_kernel.NUMBER), (r"\s", bpe_kernel.SPACE)):
            kinds[_matched(text, pattern)] = kind
        if self._digits_alone:
            kinds[_digits(text)] = bpe_kernel.ALONE
        self._classes[new] = kinds

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
    "ignore_merges",
)
"""Of a BPE model; each must be without effect."""


def _plain(pre_tokenizer: Any) -> str:
    """A pre-tokenizer in words, offsets aside."""
    if isinstance(pre_tokenizer, Mapping):
        parts = pre_tokenizer.get("pretokenizers")
        if parts is not None:
            return ", ".join(map(_plain, parts))
        settings = {key: value for key, value in pre_tokenizer.items() if key not in ("type", "trim_offsets")}
        return f"{pre_tokenizer.get('type')} {sorted(settings.items())}"
    return repr(pre_tokenizer)


_BYTE_LEVEL = _plain({"type": "ByteLevel", "add_prefix_space": False, "use_regex": True})
_DIGITS = _plain({"type": "Digits", "individual_digits": True})
_WORDS = {_BYTE_LEVEL: False, f"{_DIGITS}, {_BYTE_LEVEL}": True}
"""Pre-tokenizers that are known, and whether each digit is a word of its own: GPT-2's; SmolLM's and SmolLM2's."""


def _matched(text: str, pattern: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which characters of a text the pattern of one character matches."""
    matched = np.ones(len(text), bool)
    for _, (begin, end) in pre_tokenizers.Split(Regex(pattern), "removed").pre_tokenize_str(text):
        matched[begin:end] = False
    return matched


def _digits(text: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which characters of a text are digits to the pre-tokenizer of that name."""
    # It gives runs of others and of digits in turn; the first is of others, thanks to the letter.
    runs = pre_tokenizers.Digits(individual_digits=False).pre_tokenize_str(f"a{text}")
    digits = np.zeros(len(text) + 1, bool)
    for _, (begin, end) in runs[1::2]:
        digits[begin:end] = True
    return digits[1:]
