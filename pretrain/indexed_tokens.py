"""Token files in Megatron's .bin/.idx format: a document is a sequence of the file.

    .bin    the tokens of all documents, one after the other
    .idx    magic, version, dtype code, counts, int32 lengths, int64 byte offsets, int64 document bounds

Source: the layout of megatron.core.datasets.indexed_dataset, whose IndexedDataset reads these files in a test.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from configs.artifact import Claim
from configs.errors import UserError

Tokens = np.ndarray[Any, np.dtype[Any]]
Int64 = np.ndarray[Any, np.dtype[np.int64]]

_MAGIC = b"MMIDIDX\x00\x00"
_VERSION = 1
_DTYPES: dict[int, type[np.generic]] = {4: np.int32, 8: np.uint16}
# Megatron keeps some ids above the vocabulary free before it takes two bytes.
_MAX_UINT16_VOCABULARY = 65_500


def token_dtype(vocabulary: int) -> np.dtype[Any]:
    """The smallest type Megatron would choose for ids below `vocabulary`."""
    return np.dtype(np.uint16 if vocabulary < _MAX_UINT16_VOCABULARY else np.int32)


def write_documents(claim: Claim, name: str, documents: Iterable[Tokens], dtype: np.dtype[Any]) -> tuple[int, int]:
    """Write `name`.bin and `name`.idx.

    Returns:
        Documents and tokens written.
    """
    lengths: list[int] = []
    with claim.file(f"{name}.bin") as out:
        for tokens in documents:
            out.write(np.ascontiguousarray(tokens, dtype).data)
            lengths.append(len(tokens))
    length_N = np.array(lengths, np.int32)
    start_N = np.concatenate(([0], np.cumsum(length_N[:-1], dtype=np.int64))) if lengths else np.empty(0, np.int64)
    code = next(code for code, known in _DTYPES.items() if np.dtype(known) == dtype)
    with claim.file(f"{name}.idx") as out:
        out.write(_MAGIC + struct.pack("<QB", _VERSION, code) + struct.pack("<QQ", len(lengths), len(lengths) + 1))
        out.write(length_N.tobytes())
        out.write((start_N * dtype.itemsize).astype(np.int64).tobytes())
        out.write(np.arange(len(lengths) + 1, dtype=np.int64).tobytes())
    return len(lengths), int(length_N.sum(dtype=np.int64))


class IndexedTokens:
    """A .bin/.idx pair opened for reading; both stay on disk and are mapped.

    Args:
        prefix: path without the ending.
    Raises:
        UserError: if a file is missing, is of another format, or is shorter than its index says.
    """

    def __init__(self, prefix: Path) -> None:
        index, tokens = prefix.with_name(f"{prefix.name}.idx"), prefix.with_name(f"{prefix.name}.bin")
        for path in (index, tokens):
            if not path.exists():
                raise UserError(f"{path}: does not exist")
        header = struct.Struct("<9sQBQQ")
        with open(index, "rb") as file:
            head = file.read(header.size)
        if len(head) < header.size:
            raise UserError(f"{index}: truncated")
        magic, version, code, documents, bounds = header.unpack(head)
        if magic != _MAGIC or version != _VERSION or code not in _DTYPES:
            raise UserError(f"{index}: is no token index of Megatron's format (version 1, int32 or uint16)")
        self.dtype = np.dtype(_DTYPES[code])
        if index.stat().st_size < header.size + 12 * documents + 8 * bounds:
            raise UserError(f"{index}: truncated")
        self.length_N = np.memmap(index, np.int32, "r", header.size, (documents,)) if documents else _empty(np.int32)
        at = header.size + 4 * documents
        self._start_N = np.memmap(index, np.int64, "r", at, (documents,)) if documents else _empty(np.int64)
        expected = int(self.length_N.sum(dtype=np.int64)) * self.dtype.itemsize
        if tokens.stat().st_size != expected:
            raise UserError(f"{tokens}: {tokens.stat().st_size} bytes, its index says {expected}; truncated?")
        self._tokens = np.memmap(tokens, self.dtype, "r") if expected else _empty(self.dtype)

    def __len__(self) -> int:
        return len(self.length_N)

    def tokens(self, document: int, start: int, length: int) -> Tokens:
        """`length` tokens of a document from its token `start` on."""
        first = int(self._start_N[document]) // self.dtype.itemsize + start
        return self._tokens[first : first + length]


def _empty(dtype: Any) -> Any:
    return np.empty(0, dtype)
