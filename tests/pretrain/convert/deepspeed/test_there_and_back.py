from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import UserError
from pretrain.convert.convert import convert
from pretrain.convert.deepspeed import layout, plan
from pretrain.convert.deepspeed.files import read_file
from pretrain.convert.deepspeed.layout import Stretch
from pretrain.convert.model import Model
from pretrain.convert.target import Options
from tests.pretrain.convert.deepspeed.made import Made, differences, reopened, written

SHAPES = st.lists(st.lists(st.integers(1, 5), max_size=3).map(tuple), min_size=1, max_size=6)


def named(shapes: list[tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    return {str(at): shape for at, shape in enumerate(shapes)}


def assert_tiled(shapes: dict[str, tuple[int, ...]], stretches: list[Stretch], length: int, ranks: int) -> None:
    """Every number of every parameter once, in order, and no two in one place."""
    for name, shape in shapes.items():
        mine = [number for one in stretches if one.name == name for number in range(one.first, one.first + one.count)]
        assert mine == list(range(math.prod(shape)))
    places = [(one.rank, at) for one in stretches for at in range(one.offset, one.offset + one.count)]
    assert len(set(places)) == len(places)
    assert all(0 <= rank < ranks and 0 <= at < length for rank, at in places)


@given(SHAPES, st.integers(1, 5))
def test_partitions_hold_every_number_once(shapes: list[tuple[int, ...]], ranks: int) -> None:
    parameters = named(shapes)
    partition = layout.padded_partition(parameters, ranks)
    assert partition % 2 == 0  # four bytes of bfloat16
    assert_tiled(parameters, list(layout.end_to_end(0, parameters, partition)), partition, ranks)
    length = layout.evenly_cut_length(parameters, ranks)
    assert_tiled(parameters, list(layout.cut_evenly(0, parameters, ranks)), length, ranks)


@given(SHAPES, st.integers(1, 5), st.data())
def test_numbers_that_are_moved_apart_are_found(shapes: list[tuple[int, ...]], ranks: int, data: st.DataObject) -> None:
    parameters = named(shapes)
    paddings = [data.draw(st.integers(0, 7)) for _ in shapes]
    total = sum(map(math.prod, shapes)) + sum(paddings)
    partition = -(-total // ranks)
    stretches = list(layout.end_to_end(0, parameters, partition, paddings=paddings))
    assert_tiled(parameters, stretches, partition, ranks)
    begins = [one.rank * partition + one.offset for one in stretches if one.first == 0]
    assert begins == [sum(map(math.prod, shapes[:at])) + sum(paddings[:at]) for at in range(len(shapes))]


@given(SHAPES, st.integers(1, 4), st.integers(1, 40))
def test_a_sub_group_ends_with_the_parameter_that_fills_it(
    shapes: list[tuple[int, ...]], ranks: int, limit: int
) -> None:
    groups = [dict(one) for one in layout.sub_groups(named(shapes), ranks, limit)]
    assert [name for one in groups for name in one] == list(named(shapes))
    for one in groups:
        *before, _ = one
        assert layout.evenly_cut_length({name: one[name] for name in before}, ranks) < limit
    assert all(layout.evenly_cut_length(one, ranks) >= limit for one in groups[:-1])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("ranks", [1, 3, 16])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
@pytest.mark.parametrize("name", ["tied", "untied"])
def test_what_is_written_is_read_bit_for_bit(
    models: dict[str, Model], tmp_path: Path, name: str, stage: int, ranks: int, dtype: str
) -> None:
    source = Made(models[name])
    folder = written(source, models[name], tmp_path, Options(zero=stage, ranks=ranks, dtype=dtype))
    found = reopened(folder, models[name])
    assert not differences(source, found)
    assert (found.step, found.adam_steps) == (40, 30)
    assert {found.dtype(name) for name in found.shapes} == {torch.float32}
    assert (tmp_path / "latest").read_text() == "global_step40"


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_what_has_no_moments_is_frozen_and_has_none_afterwards(
    models: dict[str, Model], tmp_path: Path, stage: int, caplog: pytest.LogCaptureFixture
) -> None:
    model = models["untied"]
    frozen = [name for name in model.shapes if "q_proj" in name or "embed" in name]
    source = Made(model, frozen, torch.bfloat16)
    found = reopened(written(source, model, tmp_path, Options(zero=stage, ranks=3)), model)
    assert not differences(source, found)
    assert all((found.dtype(name) == torch.bfloat16) == (name in frozen) for name in model.shapes)
    assert "3 of 21 tensors have no moments and are written as frozen" in caplog.text
    assert "torch's defaults (learning rate 0.001)" in caplog.text


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_two_groups_are_matrices_and_vectors_and_are_read_bit_for_bit(
    models: dict[str, Model], tmp_path: Path, stage: int, dtype: str
) -> None:
    model = models["tied"]
    options = Options(zero=stage, ranks=2, groups=2, dtype=dtype)
    folder = written(Made(model), model, tmp_path, options)
    assert not differences(Made(model), reopened(folder, model))
    if stage > 0:
        [shapes, vectors] = read_file(next(folder.glob("*_model_states.pt"))).get("param_shapes")
        assert [*shapes, *vectors] == [
            *(name for name, shape in model.shapes.items() if len(shape) == 2),
            *(name for name, shape in model.shapes.items() if len(shape) == 1),
        ]


def test_a_group_of_which_nothing_is_trained_is_left_out(models: dict[str, Model], tmp_path: Path) -> None:
    model = models["tied"]
    source = Made(model, [name for name, shape in model.shapes.items() if len(shape) == 1])
    folder = written(source, model, tmp_path, Options(groups=2))
    assert not differences(source, reopened(folder, model))
    assert len(read_file(folder / "mp_rank_00_model_states.pt").get("param_shapes")) == 1


def test_flat_tensors_of_zero_3_are_numbered_through_both_groups(
    models: dict[str, Model], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "sub_groups", partial(layout.sub_groups, limit=900))
    model = models["untied"]
    folder = written(Made(model), model, tmp_path, Options(zero=3, groups=2))
    optimizer = read_file(folder / "zero_pp_rank_0_mp_rank_00_optim_states.pt").within("optimizer_state_dict")
    groups = optimizer.within("optimizer_state_dict").get("param_groups")
    assert [group["params"] for group in groups] == [list(range(8)), [8]]
    assert not differences(Made(model), reopened(folder, model))


def test_without_any_moments_all_is_trained_from_the_first_step(models: dict[str, Model], tmp_path: Path) -> None:
    model = models["tied"]
    source = Made(model, model.shapes)
    found = reopened(written(source, model, tmp_path, Options(zero=2, ranks=2)), model)
    assert not differences(source, found)
    assert not found.has_moments
    assert found.adam_steps == 0


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_through_our_checkpoint_and_back_no_byte_differs(models: dict[str, Model], tmp_path: Path, stage: int) -> None:
    options = Options(zero=stage, ranks=2)
    first = written(Made(models["tied"]), models["tied"], tmp_path / "first", options)
    convert(tmp_path / "first", "checkpoint", tmp_path / "checkpoint", Options())
    convert(tmp_path / "checkpoint", "deepspeed", tmp_path / "second", options)
    second = tmp_path / "second" / first.name
    assert [path.name for path in sorted(first.iterdir())] == [path.name for path in sorted(second.iterdir())]
    assert all(path.read_bytes() == (second / path.name).read_bytes() for path in first.iterdir())


@pytest.mark.parametrize("stage", [0, 3])
def test_a_hugging_face_folder_comes_back_file_by_file(folders: dict[str, Path], tmp_path: Path, stage: int) -> None:
    convert(folders["tied"], "deepspeed", tmp_path / "deepspeed", Options(zero=stage, ranks=3))
    convert(tmp_path / "deepspeed", "hf", tmp_path / "hf", Options())
    for path in folders["tied"].iterdir():
        assert path.read_bytes() == (tmp_path / "hf" / path.name).read_bytes(), path.name


def test_names_that_a_wrapper_lengthened_are_cut(models: dict[str, Model], tmp_path: Path) -> None:
    model = models["untied"]
    wrapped = replace(model, shapes={f"module.{name}": shape for name, shape in model.shapes.items()})
    folder = written(Made(wrapped), wrapped, tmp_path, Options(zero=2, ranks=2))
    assert reopened(folder, model).shapes == model.shapes


@pytest.mark.parametrize("stage", [0, 2, 3])
def test_float16_has_the_first_loss_scale_and_says_so(
    models: dict[str, Model], tmp_path: Path, stage: int, caplog: pytest.LogCaptureFixture
) -> None:
    source = Made(models["tied"])
    found = reopened(written(source, models["tied"], tmp_path, Options(zero=stage, dtype="float16")), models["tied"])
    assert not differences(source, found)
    assert "DeepSpeed's first one, dynamic and 65536" in caplog.text


def test_impossible_layouts_are_refused(models: dict[str, Model], tmp_path: Path) -> None:
    source = Made(models["tied"])
    for wrong in (Options(zero=4), Options(zero=-1), Options(ranks=0)):
        with pytest.raises(UserError, match="ZeRO stages are 0 to 3, ranks 1 or more"):
            written(source, models["tied"], tmp_path, wrong)
    for groups in (0, 3):
        with pytest.raises(UserError, match=f"--groups {groups}: 1 has all that is trained in one group"):
            written(source, models["tied"], tmp_path, Options(groups=groups))
    assert not any(tmp_path.iterdir())
