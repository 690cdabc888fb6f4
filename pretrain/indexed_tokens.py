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
_DTYPES: dict[int, type[np.generic]] = {
    1: np.uint8,
    2: np.int8,
    3: np.int16,
    4: np.int32,
    5: np.int64,
    8: np.uint16,
}
_HEADER = struct.Struct("<9sQBQQ")
# Megatron keeps some ids above the vocabulary free before it takes two bytes.
_MAX_UINT16_VOCABULARY = 65_500


def token_dtype(vocabulary: int) -> np.dtype[Any]:
    """The smallest type Megatron would choose for ids below `vocabulary`."""
    return np.dtype(np.uint16 if vocabulary < _MAX_UINT16_VOCABULARY else np.int32)


def write_documents(
    claim: Claim, name: str, batches: Iterable[tuple[Tokens, Int64]], dtype: np.dtype[Any]
) -> tuple[int, int]:
    """Write `name`.bin and `name`.idx.

    Args:
        batches: tokens of some documents, one after the other, and how many each document has.
    Returns:
        Documents and tokens written.
    """
    lengths = [np.empty(0, np.int64)]
    with claim.file(f"{name}.bin") as out:
        for tokens_T, length_N in batches:
            out.write(np.ascontiguousarray(tokens_T, dtype).data)
            lengths.append(length_N)
    length_N = np.concatenate(lengths)
    code = next(code for code, known in _DTYPES.items() if np.dtype(known) == dtype)
    with claim.file(f"{name}.idx") as out:
        out.write(_HEADER.pack(_MAGIC, _VERSION, code, len(length_N), len(length_N) + 1))
        out.write(length_N.astype(np.int32).data)
        out.write(((np.cumsum(length_N) - length_N) * dtype.itemsize).data)
        out.write(np.arange(len(length_N) + 1, dtype=np.int64).data)
    return len(length_N), int(length_N.sum())


class IndexedTokens:
    """A .bin/.idx pair opened for reading; both stay on disk and are mapped.

    Args:
        prefix: path without the ending.
        end: token that is added to a document that does not end with it; none takes documents as they are.
    Raises:
        UserError: if a file is missing, is of another format, or is shorter than its index says.
    """

    def __init__(self, prefix: Path, end: int | None = None) -> None:
        index, tokens = prefix.with_name(f"{prefix.name}.idx"), prefix.with_name(f"{prefix.name}.bin")
        for path in (index, tokens):
            if not path.exists():
                raise UserError(f"{path}: does not exist")
        self.dtype, sequences, bounds = _read_header(index)
        self._documents = max(bounds - 1, 0)
        self.sequence_N = _mapped(index, np.int32, _HEADER.size, sequences)
        """int32: tokens of each sequence of the file."""
        self.start_N = _mapped(index, np.int64, _HEADER.size + 4 * sequences, sequences)
        """int64: where each begins, in bytes."""
        self.bound_D1 = _mapped(index, np.int64, _HEADER.size + 12 * sequences, bounds)
        """int64: the sequence that each document begins with, and the number of sequences."""
        # The last sequence says how long the file is; adding up a billion lengths would take seconds.
        expected = int(self.start_N[-1]) + int(self.sequence_N[-1]) * self.dtype.itemsize if sequences else 0
        if tokens.stat().st_size != expected:
            raise UserError(
                f"{tokens}: {tokens.stat().st_size} bytes, its index says {expected}; truncated? copy it again"
            )
        self._end = expected // self.dtype.itemsize
        self._tokens = _mapped(tokens, self.dtype, 0, self._end)
        self._added = end

    def __len__(self) -> int:
        return self._documents

    def starts(self, first: int = 0, end: int | None = None) -> Int64:
        """Where the documents [first, end) begin among the tokens of the file, and where the last of them ends."""
        bound_D1 = self.bound_D1[first : None if end is None else end + 1]
        if not len(self.start_N):
            return np.zeros(len(bound_D1), np.int64)
        start_D1 = self.start_N[np.minimum(bound_D1, len(self.start_N) - 1)] // self.dtype.itemsize
        starts: Int64 = np.where(bound_D1 < len(self.start_N), start_D1, self._end)
        return starts

    def lengths(self, first: int = 0, end: int | None = None) -> Int64:
        """Tokens of the documents [first, end), of all if nothing is said."""
        start_D1 = self.starts(first, end)
        lengths: Int64 = np.diff(start_D1)
        if self._added is not None:
            filled_D = lengths > 0
            lengths[filled_D] += self._tokens[start_D1[1:][filled_D] - 1] != self._added
        return lengths

    def is_gapless(self, first: int, end: int) -> bool:
        """Whether the sequences of the documents [first, end) lie one after the other, as long as the index says."""
        begin, stop = int(self.bound_D1[first]), int(self.bound_D1[end])
        start_N1 = np.append(self.start_N[begin:stop], int(self.starts(end, end)[0]) * self.dtype.itemsize)
        return bool((np.diff(start_N1) == self.sequence_N[begin:stop].astype(np.int64) * self.dtype.itemsize).all())

    def tokens(self, document: int, start: int, length: int) -> Tokens:
        """`length` tokens of a document from its token `start` on."""
        first = self._first(document) + start
        if self._added is None:
            return self.stretch(first, first + length)
        found = self.stretch(first, min(first + length, self._first(document + 1)))
        return found if len(found) == length else np.append(found, np.int64(self._added))

    def stretch(self, first: int, end: int) -> Tokens:
        """The tokens [first, end) of the file."""
        tokens: Tokens = self._tokens[first:end]
        return tokens

    def _first(self, document: int) -> int:
        """Where a document begins among the tokens of the file."""
        sequence = int(self.bound_D1[document])
        return int(self.start_N[sequence]) // self.dtype.itemsize if sequence < len(self.start_N) else self._end


def _read_header(index: Path) -> tuple[np.dtype[Any], int, int]:
    with open(index, "rb") as file:
        head = file.read(_HEADER.size)
    if len(head) < _HEADER.size:
        raise UserError(f"{index}: truncated")
    magic, version, code, sequences, bounds = _HEADER.unpack(head)
    if magic != _MAGIC or version != _VERSION or code not in _DTYPES:
        known = ", ".join(np.dtype(known).name for known in _DTYPES.values())
        raise UserError(f"{index}: is no token index of Megatron's format (version 1, {known})")
    if index.stat().st_size < _HEADER.size + 12 * sequences + 8 * bounds:
        raise UserError(f"{index}: truncated")
    return np.dtype(_DTYPES[code]), sequences, bounds


def _mapped(path: Path, dtype: Any, offset: int, count: int) -> Any:
    return np.memmap(path, dtype, "r", offset, (count,)) if count else np.empty(0, dtype)
