"""A SentencePiece Unigram tokenizer compiled: the ids that the `tokenizers` library gives, faster on a core.

Only tokenizers whose every part is known are compiled; whatever else there is, the library encodes.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from corpus.kernels.utf8 import Bytes, Int64
from tokenizer import bpe_kernel, unigram_kernel
from tokenizer.compiled import Compiled, Ids
from tokenizer.compiled_sp_bpe import prefix_of
from tokenizer.definition import BYTE_PIECES
from tokenizer.sp_tokenizer import SPACE
from tokenizer.sp_unigram import SpUnigram

_UNKNOWN_PENALTY = 10.0
"""By how much an unknown character scores less than the worst piece. Source: SentencePiece, unigram_model.cc."""


class CompiledSpUnigram(Compiled):
    """Encodes columns of text as `SpUnigram.backend` does, special tokens as text.

    Args:
        tokenizer: one that `of` has found to be known.
        prefix: what it puts before a text, as `sp_bpe_kernel` numbers it.
    """

    def __init__(self, tokenizer: SpUnigram, prefix: int) -> None:
        added = {token["content"] for token in tokenizer.definition.get("added_tokens", [])}
        # Text that spells a special token or a byte is cut apart, which the library does.
        super().__init__(tokenizer, {to for one in added for to in (one, one.replace(SPACE, " "))} | {"<0x"})
        self._prefix = prefix
        vocab = tokenizer.definition["model"]["vocab"]
        self._unknown = min(score for _, score in vocab) - _UNKNOWN_PENALTY
        number_of = {piece: number for number, (piece, _) in enumerate(vocab)}
        self._byte_ids = np.array([number_of[piece] for piece in BYTE_PIECES], np.int32)
        self._trie = _trie(tokenizer)

    @classmethod
    def of(cls, tokenizer: SpUnigram) -> Self | None:
        """The tokenizer compiled; none if it has a part that is not known here."""
        definition = tokenizer.definition
        prefix = prefix_of(definition)
        known = all(definition.get(part) is None for part in ("truncation", "padding"))
        pieces = {piece for piece, _ in definition["model"]["vocab"]}
        return cls(tokenizer, prefix) if prefix is not None and known and SPACE in pieces else None

    def _ids(self, utf8: Bytes, offset_N1: Int64) -> tuple[Ids, Int64]:
        documents = len(offset_N1) - 1
        ids_T, count_N = np.empty(len(utf8) + documents, np.int32), np.empty(documents, np.int64)
        written = unigram_kernel.encode_documents(
            utf8, offset_N1, self._prefix, self._trie, self._unknown, self._byte_ids, ids_T, count_N
        )
        return ids_T[:written], count_N


def _trie(tokenizer: SpUnigram) -> unigram_kernel.Trie:
    vocab = tokenizer.definition["model"]["vocab"]
    numbers = [number for number in tokenizer.score_of if vocab[number][0]]
    pieces = [vocab[number][0] for number in numbers]
    points = np.array([ord(character) for piece in pieces for character in piece], np.int32)
    offset_P1 = np.cumsum([0, *map(len, pieces)], dtype=np.int64)
    slots = 2 << max(len(points), 1).bit_length()
    keys, children = np.full(slots, bpe_kernel.NO_PAIR), np.zeros(slots, np.int32)
    ids, scores = np.full(len(points) + 1, bpe_kernel.NO_TOKEN, np.int32), np.zeros(len(points) + 1)
    trie = unigram_kernel.Trie(keys, children, ids, scores)
    piece_scores = np.array([tokenizer.score_of[number] for number in numbers], np.float64)
    unigram_kernel.put_pieces(points, offset_P1, np.array(numbers, np.int32), piece_scores, trie)
    return trie
