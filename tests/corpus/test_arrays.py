"""Arrays in a file: as they were, where kernels can read them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from corpus.arrays import mapped_arrays, write_arrays

KINDS = (np.uint64, np.uint8, np.int32, np.int64)


def test_arrays_come_back_aligned_and_the_file_stays_as_it_is(tmp_path: Path) -> None:
    arrays = [np.arange(count, dtype=kind) for count, kind in zip((3, 5, 0, 2), KINDS, strict=True)]
    with open(tmp_path / "arrays.bin", "wb") as out:
        write_arrays(out, arrays)
    before = (tmp_path / "arrays.bin").read_bytes()
    found = mapped_arrays(tmp_path / "arrays.bin", KINDS)
    assert [one.tolist() for one in found] == [one.tolist() for one in arrays]
    assert [one.dtype for one in found] == [one.dtype for one in arrays]
    assert all(one.flags.aligned and type(one) is np.ndarray for one in found)
    found[0][0] = 9
    assert (tmp_path / "arrays.bin").read_bytes() == before
