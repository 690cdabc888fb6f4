from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert import torch_file
from pretrain.convert.stored import FlatReader, Piece, check_whole, stored
from pretrain.convert.torch_file import Lazy, Storage


@dataclass
class Named:
    """Is called otherwise where the file is read."""

    value: int


def storage(numbers: torch.Tensor, pieces: int = 1) -> Storage:
    """A storage that gives its numbers in so many pieces."""

    def reads() -> Iterator[Callable[[], torch.Tensor]]:
        for piece in torch.chunk(numbers.reshape(-1), pieces):
            yield partial(torch.clone, piece)

    return Storage(numbers.dtype, numbers.numel(), reads)


def lazy(numbers: torch.Tensor, pieces: int = 1) -> Lazy:
    return Lazy(storage(numbers, pieces), tuple(numbers.shape))


def save(path: Path, what: object) -> int:
    """Write a file; gives how many bytes of tensors were told."""
    told: list[int] = []
    with open(path, "wb", buffering=0) as file:
        torch_file.write(file, what, {Named: "elsewhere.Renamed"}, told.append)
    return sum(told)


def test_torch_loads_what_is_streamed_as_what_it_saved_itself(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    matrix, halves = torch.randn(3, 5), torch.randn(7).bfloat16()
    shared = storage(matrix, pieces=4)
    what = {
        "matrix": Lazy(shared, (3, 5)),
        "flat": Lazy(shared, (15,)),
        "halves": lazy(halves, 3),
        "none": lazy(torch.empty(0)),
        "step": lazy(torch.tensor(4.0)),
        "plain": [1, 2.5, "猫", None, True, torch.Size([2, 3])],
    }
    assert save(path, what) == 15 * 4 + 7 * 2 + 4
    for mmap in (False, True):
        found = torch.load(path, weights_only=True, mmap=mmap)
        assert torch.equal(found["matrix"], matrix)
        assert torch.equal(found["halves"], halves)
        assert found["none"].shape == (0,)
        assert found["step"].shape == ()
        assert float(found["step"]) == 4.0
        assert found["plain"] == what["plain"]
        assert found["flat"].data_ptr() == found["matrix"].data_ptr()


def test_the_zip_file_is_sound_and_its_tensors_begin_at_multiples_of_64_bytes(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    save(path, [lazy(torch.randn(count)) for count in (1, 3, 17, 100)])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    described = torch.load(path, map_location="meta", weights_only=True)
    assert [stored(path, one).offset_bytes % 64 for one in described] == [0] * 4


def test_a_class_has_the_name_it_is_called_where_the_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    save(path, {"named": [Named(3), Named(4)]})
    assert torch.serialization.get_unsafe_globals_in_checkpoint(path) == ["elsewhere.Renamed"]
    with zipfile.ZipFile(path) as archive:
        names = [arg for op, arg, _ in pickletools.genops(archive.read("archive/data.pkl")) if op.name == "GLOBAL"]
    assert names == ["elsewhere Renamed"]


@pytest.mark.parametrize("given", [torch.zeros(3), torch.zeros(5)], ids=["too few", "too many"])
def test_a_storage_that_does_not_give_its_numbers_is_a_fault(tmp_path: Path, given: torch.Tensor) -> None:
    wrong = Storage(torch.float32, 4, storage(given).reads)
    with pytest.raises(ValueError, match="bytes were given for 4 numbers"):
        save(tmp_path / "file.pt", Lazy(wrong, (4,)))
    with pytest.raises(ValueError, match="4 numbers are no tensor"):
        Lazy(wrong, (5,))


def test_a_box_is_put_together_from_stretches_in_several_files(tmp_path: Path) -> None:
    tensor, pieces = torch.randn(6, 5), []
    for number, (first, last) in enumerate([(0, 7), (7, 8), (8, 30)]):
        path = tmp_path / str(number)
        torch.save({"x": torch.cat([torch.ones(2), tensor.reshape(-1)[first:last]])}, path)
        flat = torch.load(path, map_location="meta", weights_only=True)["x"]
        pieces.append(Piece(first, stored(path, flat).part(2, last - first)))
    check_whole(pieces, tensor.shape, "x")
    reader = FlatReader()
    for box in (Box.whole((6, 5)), Box((1, 1), (4, 3)), Box((0, 4), (6, 1)), Box((5, 0), (1, 5))):
        assert torch.equal(reader.read(pieces, (6, 5), box), tensor[box.slices])
    with pytest.raises(UserError, match="x: number 7 is missing or there twice"):
        check_whole([pieces[0], pieces[2]], tensor.shape, "x")
    with pytest.raises(UserError, match="x: there are 8 of its 30 numbers"):
        check_whole(pieces[:2], tensor.shape, "x")
    (tmp_path / "2").write_bytes((tmp_path / "2").read_bytes()[:-900])
    with pytest.raises(UserError, match=r"2: ends at .* bytes; it was cut off, copy it again"):
        reader.read(pieces, (6, 5), Box.whole((6, 5)))
    reader.close()
