"""How often new tokens are met: counted in the units that they were learned from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tokenizer.extendable import Extendable
from tokenizer.units import UNITS, unpack_unit

# Of the most frequent units; what the others would add to a token's count is left out, which errs to the safe side.
_UNITS = 500_000


def frequent_units(base: Extendable, batches: Iterable[pa.RecordBatch], most: int = _UNITS) -> list[tuple[str, int]]:
    """Text and count of the most frequent units, in memory that does not grow with the number of all.

    Units that are no whole characters are passed over: no text has them by itself.

    Args:
        batches: each unit once.
    """
    held = UNITS.empty_table()
    for batch in batches:
        held = pa.concat_tables([held, pa.Table.from_batches([batch])])
        if held.num_rows > 2 * most:
            held = _most_frequent(held, most)
    return list(_texts(base, _most_frequent(held, most)))


def _most_frequent(units: pa.Table, most: int) -> pa.Table:
    return units.sort_by([("count", "descending"), ("unit", "ascending")]).slice(0, most)


def _texts(base: Extendable, units: pa.Table) -> Iterator[tuple[str, int]]:
    pairs = zip(units.column("unit").to_pylist(), units.column("count").to_pylist(), strict=True)
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
