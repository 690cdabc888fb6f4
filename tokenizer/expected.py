"""How often new tokens are met: counted in the units that they were learned from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer.extendable import Extendable
from tokenizer.units import unpack_unit

# Of the most frequent units; what the others would add to a token's count is left out, which errs to the safe side.
_UNITS = 500_000


def frequent_units(base: Extendable, batches: Iterable[pa.RecordBatch]) -> list[tuple[str, int]]:
    """Text and count of the most frequent units, equal ones of several shards together.

    Units that are no whole characters are passed over: no text has them by itself.
    """
    table = pa.Table.from_batches(list(batches), schema=pa.schema([("unit", pa.binary()), ("count", pa.int64())]))
    summed = table.group_by("unit").aggregate([("count", "sum")])
    summed = summed.sort_by([("count_sum", "descending"), ("unit", "ascending")]).slice(0, _UNITS)
    return list(_texts(base, summed))


def _texts(base: Extendable, summed: pa.Table) -> Iterator[tuple[str, int]]:
    pairs = zip(summed.column("unit").to_pylist(), summed.column("count_sum").to_pylist(), strict=True)
    for unit, count in pairs:
        try:
            text = b"".join(base.bytes_of[number] for number in unpack_unit(unit)).decode()
        except UnicodeDecodeError:
            continue
        yield text, count


def occurrences(extended: Extendable, first: int, units: list[tuple[str, int]]) -> npt.NDArray[np.int64]:
    """How often each new token stands in the units.

    Args:
        first: id of the first new token.
    Returns:
        int64, one number for each id from `first` on.
    """
    counted: npt.NDArray[np.int64] = np.zeros(extended.size - first, np.int64)
    plain = extended.without_shortcut().backend
    encoded = plain.encode_batch_fast([text for text, _ in units], add_special_tokens=False)
    for encoding, (_, count) in zip(encoded, units, strict=True):
        for number in encoding.ids:
            if number >= first:
                counted[number - first] += count
    return counted
