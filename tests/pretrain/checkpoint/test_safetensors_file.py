from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from configs.errors import UserError
from pretrain.checkpoint import safetensors_file
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.safetensors_file import SafetensorsFile, header
from pretrain.checkpoint.stream import bytes_of, cast, pieces, stream

SHAPES = st.lists(st.integers(1, 7), min_size=0, max_size=3).map(tuple)
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def numbered(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Every value distinct."""
    return torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape).to(dtype)


@st.composite
def boxed(draw: st.DrawFn) -> tuple[tuple[int, ...], Box]:
    """A shape and a box of it."""
    shape = draw(SHAPES)
    offsets = tuple(draw(st.integers(0, size - 1)) for size in shape)
    sizes = tuple(draw(st.integers(1, size - start)) for size, start in zip(shape, offsets, strict=True))
    return shape, Box(offsets, sizes)


@given(boxed(), st.sampled_from(DTYPES), st.sampled_from([1, 30, 1 << 22]))
def test_any_box_is_what_slicing_the_whole_gives(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[tuple[int, ...], Box], dtype: torch.dtype, rows_bytes: int
) -> None:
    shape, box = case
    path = tmp_path_factory.mktemp("box") / "file.safetensors"
    whole = numbered(shape, dtype)
    save_file({"before": torch.ones(3), "w": whole, "x": torch.ones(5, dtype=torch.int64)}, path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safetensors_file, "_ROWS_BYTES", rows_bytes)
        file = SafetensorsFile(path)
        assert torch.equal(file.read("w", box), whole[box.slices])
        assert (file.shape("w"), file.dtype("w")) == (shape, dtype)
        with pytest.raises(UserError, match=r"x is stored as I64"):
            file.dtype("x")


@given(SHAPES, st.sampled_from(DTYPES), st.integers(1, 200))
def test_the_pieces_of_a_tensor_in_order_are_its_bytes(
    shape: tuple[int, ...], dtype: torch.dtype, piece_bytes: int
) -> None:
    whole = numbered(shape, dtype)
    boxes = list(pieces(shape, dtype.itemsize, piece_bytes))
    assert all(box.count * dtype.itemsize <= piece_bytes or not shape or box.sizes[0] == 1 for box in boxes)
    streamed = b"".join(stream(lambda box=box: whole[box.slices] for box in boxes))  # type: ignore[misc]
    assert streamed == bytes(bytes_of(whole))


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name != "__metadata__"), SHAPES, max_size=5))
def test_a_header_is_that_of_the_library(shapes: dict[str, tuple[int, ...]]) -> None:
    whole = {name: numbered(shape, torch.bfloat16) for name, shape in shapes.items()}
    ordered = sorted(whole)
    data = b"".join(bytes(bytes_of(whole[name])) for name in ordered)
    head = header([(name, torch.bfloat16, whole[name].shape) for name in ordered], {"format": "pt"})
    assert head + data == save(whole, metadata={"format": "pt"})


def test_an_error_while_reading_ahead_reaches_the_writer() -> None:
    def fail() -> torch.Tensor:
        raise UserError("the disk went away")

    read = stream([lambda: torch.ones(1), fail, lambda: torch.ones(1)])
    assert bytes(next(read)) == bytes(bytes_of(torch.ones(1)))
    with pytest.raises(UserError, match="the disk went away"):
        list(read)


def test_what_is_infinite_stays_so_and_what_would_become_so_is_refused() -> None:
    values = torch.tensor([1.0, torch.inf, -torch.inf])
    assert torch.equal(cast(values, torch.float16, "w"), values.half())
    assert cast(torch.tensor([torch.nan]), torch.bfloat16, "w").isnan().all()
    assert torch.equal(cast(torch.tensor([3.38e38]), torch.bfloat16, "w"), torch.tensor([3.38e38]).bfloat16())
    with pytest.raises(UserError, match=r"w: holds 3\.4e\+38, beyond the range of bfloat16"):
        cast(torch.tensor([3.4e38]), torch.bfloat16, "w")
