"""A SentencePiece BPE tokenizer compiled: the ids that the `tokenizers` library gives, several times as fast on a core.

Only tokenizers whose every part is known are compiled; whatever else there is, the library encodes.
"""

from __future__ import annotations

import json
from typing import Any, Self

import numpy as np

from corpus.kernels.utf8 import Bytes, Int64
from tokenizer import bpe_kernel, sp_bpe_kernel
from tokenizer.compiled import Compiled, Ids, added_but_not_special
from tokenizer.compiled_bpe import merge_table, without_other_settings
from tokenizer.definition import BYTE_PIECES
from tokenizer.sp_bpe import SpBpe
from tokenizer.sp_tokenizer import SPACE

_CODE_POINTS = 0x110000
_REPLACE = {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
_METASPACE = {"type": "Metaspace", "replacement": SPACE, "split": False}
_PREPEND = {"type": "Prepend", "prepend": SPACE}


class CompiledSpBpe(Compiled):
    """Encodes columns of text as `SpBpe.backend` does, special tokens as text.

    Args:
        tokenizer: one that `of` has found to be known.
        prefix: what it puts before a text, as `sp_bpe_kernel` numbers it.
    """

    def __init__(self, tokenizer: SpBpe, prefix: int) -> None:
        added = added_but_not_special(tokenizer)
        # One may be looked for in text whose spaces have been replaced, and may itself be written in either way.
        super().__init__(tokenizer, {to for one in added for to in (one, one.replace(SPACE, " "))})
        self._prefix = prefix
        self._vocabulary = _vocabulary(tokenizer.definition["model"])

    @classmethod
    def of(cls, tokenizer: SpBpe) -> Self | None:
        """The tokenizer compiled; none if it has a part that is not known here."""
        definition, model = tokenizer.definition, tokenizer.definition["model"]
        prefix = prefix_of(definition)
        of_bytes = any(piece in BYTE_PIECES for merge in _pairs(model) for piece in merge)
        known = prefix is not None and SPACE in model["vocab"] and not of_bytes and not model.get("ignore_merges")
        return cls(tokenizer, prefix) if known and prefix is not None and without_other_settings(definition) else None

    def _ids(self, utf8: Bytes, offset_N1: Int64) -> tuple[Ids, Int64]:
        documents = len(offset_N1) - 1
        ids_T, count_N = np.empty(len(utf8) + documents, np.int32), np.empty(documents, np.int64)
        written = sp_bpe_kernel.encode_documents(utf8, offset_N1, self._prefix, self._vocabulary, ids_T, count_N)
        return ids_T[:written], count_N


def _key(normaliser: Any, words: Any) -> str:
    return json.dumps([normaliser, words], sort_keys=True)


_PREFIXES = {
    _key(None, {**_METASPACE, "prepend_scheme": "never"}): sp_bpe_kernel.NO_PREFIX,
    _key(None, {**_METASPACE, "prepend_scheme": "first"}): sp_bpe_kernel.PREFIX_UNLESS_SPACE,
    _key(None, {**_METASPACE, "prepend_scheme": "always"}): sp_bpe_kernel.PREFIX_UNLESS_SPACE,
    _key(_REPLACE, None): sp_bpe_kernel.NO_PREFIX,
    _key({"type": "Sequence", "normalizers": [_REPLACE]}, None): sp_bpe_kernel.NO_PREFIX,
    _key({"type": "Sequence", "normalizers": [_PREPEND, _REPLACE]}, None): sp_bpe_kernel.PREFIX,
}


def prefix_of(definition: dict[str, Any]) -> int | None:
    """What is put before a text, as `sp_bpe_kernel` numbers it; none if the text is changed in another way, too."""
    return _PREFIXES.get(_key(definition.get("normalizer"), definition.get("pre_tokenizer")))


def _pairs(model: dict[str, Any]) -> list[list[str]]:
    return [merge.split(" ", 1) if isinstance(merge, str) else merge for merge in model["merges"]]


def _vocabulary(model: dict[str, Any]) -> sp_bpe_kernel.Vocabulary:
    vocab: dict[str, int] = model["vocab"]
    point_ids = np.full(_CODE_POINTS, bpe_kernel.NO_TOKEN, np.int32)
    for piece, number in vocab.items():
        if len(piece) == 1:
            point_ids[ord(piece)] = number
    byte_ids = np.array([vocab[piece] for piece in BYTE_PIECES], np.int32)
    seams = {(left[-1], right[0]) for left, right in _pairs(model)}
    known = [(vocab[one], vocab[other]) for one, other in seams if one in vocab and other in vocab]
    slots = np.full(2 << max(len(known), 1).bit_length(), bpe_kernel.NO_PAIR)
    sp_bpe_kernel.put_seams(np.array(known, np.int64).reshape(-1, 2), slots)
    return sp_bpe_kernel.Vocabulary(point_ids, byte_ids, slots, *merge_table(model))
