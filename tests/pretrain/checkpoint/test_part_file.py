from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from configs.atomic_file import read_json
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.commit import commit
from pretrain.checkpoint.directory import partial_dir
from pretrain.checkpoint.part_file import (
    CalledOffError,
    PartFile,
    bytes_on_disk,
    index_name,
    lay_out,
    write_files,
    write_part,
)
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.base import StatePart
from tests.pretrain.checkpoint.made import VECTOR, WHOLE, part


def _parts(sizes: list[int]) -> list[StatePart]:
    tensors = [torch.arange(size, dtype=torch.float32) + 1000 * k for k, size in enumerate(sizes)]
    return [part(f"t{k}", tensor, Box.whole(tensor.shape)) for k, tensor in enumerate(tensors)]


@given(st.lists(st.integers(1, 40), max_size=12), st.integers(4, 200))
def test_files_hold_every_box_once_and_only_a_large_box_makes_one_larger(sizes: list[int], limit: int) -> None:
    files = lay_out(7, _parts(sizes), limit)
    assert [box["name"] for file in files for box in file.boxes] == [f"t{k}" for k in range(len(sizes))]
    assert [file.start for file in files] == [4 * sum(sizes[: file.first]) for file in files]
    assert [file.data_bytes for file in files] == [
        4 * sum(sizes[file.first : file.first + len(file.boxes)]) for file in files
    ]
    assert all(file.data_bytes <= limit or len(file.boxes) == 1 for file in files)
    # As few as can be without changing the order: no file and the beginning of the next would fit together.
    for one, following in itertools.pairwise(files):
        assert one.data_bytes + 4 * sizes[following.first] > limit


@pytest.mark.parametrize("limit", [4, 100, 1 << 30], ids=["a box a file", "some", "one file"])
def test_what_is_announced_is_what_is_written(tmp_path: Path, limit: int) -> None:
    parts = _parts([3, 17, 4, 9])
    announced = bytes_on_disk(0, lay_out(0, parts, limit), block_bytes=1)
    write_part(tmp_path, 0, parts, limit)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == announced
    assert bytes_on_disk(0, lay_out(0, parts, limit), 4096) == 4096 * len(list(tmp_path.iterdir()))


def test_boxes_are_read_from_whichever_file_they_are_in(tmp_path: Path) -> None:
    parts = [part("w", WHOLE, Box((row, 0), (1, 4))) for row in range(6)] + [part("v", VECTOR, Box.whole((5,)))]
    write_part(partial_dir(tmp_path, 1, "a"), 0, parts, 40)
    artifact = commit(tmp_path, 1, "a", 1, {}, timeout_s=1)
    assert sum(name.endswith(".safetensors") for name in artifact.files) == 4
    reader = CheckpointReader(artifact)
    assert torch.equal(reader.read("w", Box((1, 1), (4, 3)), "master"), WHOLE[1:5, 1:])
    assert torch.equal(reader.read("v", Box.whole((5,)), "master"), VECTOR)


def test_the_index_appears_when_the_last_file_is_whole(tmp_path: Path) -> None:
    seen: list[bool] = []

    def data(file: PartFile) -> Iterator[memoryview]:
        seen.append((tmp_path / index_name(0)).exists())
        yield memoryview(bytes(file.data_bytes))

    write_files(tmp_path, 0, lay_out(0, _parts([4, 4, 4]), 16), data)
    assert seen == [False] * 3
    assert len(read_json(tmp_path / index_name(0))["files"]) == 3


def test_a_save_that_is_called_off_leaves_no_index_and_no_file(tmp_path: Path) -> None:
    stop = threading.Event()

    def data(file: PartFile) -> Iterator[memoryview]:
        stop.set()
        yield memoryview(bytes(file.data_bytes))

    with pytest.raises(CalledOffError):
        write_files(tmp_path, 0, lay_out(0, _parts([4])), data, stop=stop)
    assert list(tmp_path.iterdir()) == []


def test_one_file_that_fails_stops_the_others_and_is_the_reason(tmp_path: Path) -> None:
    def data(file: PartFile) -> Iterator[memoryview]:
        if file.first == 1:
            raise ValueError("the second")
        while True:
            yield memoryview(b"")

    with pytest.raises(ValueError, match="the second"):
        write_files(tmp_path, 0, lay_out(0, _parts([4, 4]), 16), data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"tensor": WHOLE.double()}, "float64", id="another number format"),
        pytest.param({"box": Box((0, 0), (6, 3))}, "is not Box", id="another shape"),
    ],
)
def test_a_tensor_that_is_not_its_box_is_an_engines_fault(change: dict[str, Any], message: str) -> None:
    right = {"name": "w", "shape": (6, 4), "box": Box.whole((6, 4)), "kind": "master", "tensor": WHOLE}
    with pytest.raises(ValueError, match=message):
        lay_out(0, [StatePart(**{**right, **change})])


def test_a_box_that_occurs_twice_is_an_engines_fault() -> None:
    with pytest.raises(ValueError, match="the same box occurs twice on this rank"):
        lay_out(0, [part("v", VECTOR, Box.whole((5,)))] * 2)
