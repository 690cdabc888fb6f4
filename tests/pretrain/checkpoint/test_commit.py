from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.commit import commit
from pretrain.checkpoint.directory import complete, partial_dir, set_aside, step_dir
from pretrain.checkpoint.part_file import CalledOffError, part_name, write_part
from pretrain.checkpoint.reader import CheckpointReader
from tests.pretrain.checkpoint.made import VECTOR, WHOLE, checkpoint, part, write_two_ranks


def test_any_box_is_read_whatever_boxes_were_written(tmp_path: Path) -> None:
    write_two_ranks(tmp_path, 1)
    reader = CheckpointReader(commit(tmp_path, 1, "a", 2, {}, timeout_s=1))
    for rows in range(1, 7):
        for columns in range(1, 5):
            box = Box((6 - rows, 4 - columns), (rows, columns))
            assert torch.equal(reader.read("w", box, "master"), WHOLE[box.slices])
    assert torch.equal(reader.read("v", Box((1,), (3,)), "master"), VECTOR[1:4])
    assert reader.shapes == {"w": (6, 4), "v": (5,)}
    assert not reader.has_moments


def test_a_part_is_an_ordinary_safetensors_file(tmp_path: Path) -> None:
    write_two_ranks(tmp_path, 1)
    with safe_open(partial_dir(tmp_path, 1, "a") / part_name(1), framework="pt") as file:
        assert sorted(file.keys()) == ["master:w@3,0", "master:w@3,1"]
        assert torch.equal(file.get_tensor("master:w@3,1"), WHOLE[3:, 1:])


def test_moments_can_be_left_aside(tmp_path: Path) -> None:
    whole = Box.whole(VECTOR.shape)
    parts = [part("v", VECTOR, whole), part("v", VECTOR, whole, "exp_avg"), part("v", VECTOR, whole, "exp_avg_sq")]
    write_part(partial_dir(tmp_path, 1, "a"), 0, parts)
    checkpoint = commit(tmp_path, 1, "a", 1, {}, timeout_s=1)
    assert CheckpointReader(checkpoint).has_moments
    assert not CheckpointReader(checkpoint, moments=False).has_moments


def test_reading_what_is_not_there_names_it(tmp_path: Path) -> None:
    write_two_ranks(tmp_path, 1)
    reader = CheckpointReader(commit(tmp_path, 1, "a", 2, {}, timeout_s=1))
    with pytest.raises(UserError, match=r"holds 0 of the 2 numbers of x \(master\)"):
        reader.read("x", Box((0,), (2,)), "master")


def test_the_commit_waits_for_the_last_rank(tmp_path: Path) -> None:
    write_part(partial_dir(tmp_path, 1, "a"), 0, [part("w", WHOLE, Box((0, 0), (3, 4)))])
    late = threading.Timer(0.2, write_part, (partial_dir(tmp_path, 1, "a"), 1, [part("w", WHOLE, Box((3, 0), (3, 4)))]))
    late.start()
    assert commit(tmp_path, 1, "a", 2, {"tokens": 7}, timeout_s=30).manifest["config"] == {"tokens": 7}


def test_a_rank_that_never_comes_is_named(tmp_path: Path) -> None:
    write_part(partial_dir(tmp_path, 1, "a"), 0, [part("w", WHOLE, Box.whole(WHOLE.shape))])
    with pytest.raises(UserError, match=r"the parts of ranks \[1, 2\] did not appear"):
        commit(tmp_path, 1, "a", 3, {}, timeout_s=0.1)
    assert complete(tmp_path) == []


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        pytest.param([Box((0, 0), (5, 4))], "boxes hold 20 of 24 numbers", id="a gap"),
        pytest.param([Box((0, 0), (6, 4)), Box((1, 0), (1, 4))], "boxes hold 28 of 24 numbers", id="an overlap"),
    ],
)
def test_boxes_that_do_not_tile_a_tensor_are_an_engines_fault(tmp_path: Path, parts: list[Box], message: str) -> None:
    write_part(partial_dir(tmp_path, 1, "a"), 0, [part("w", WHOLE, box) for box in parts])
    with pytest.raises(ValueError, match=message):
        commit(tmp_path, 1, "a", 1, {}, timeout_s=1)


def test_a_commit_that_is_called_off_stops_waiting(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CalledOffError):
        commit(tmp_path, 1, "a", 1, {}, timeout_s=60, stop=stop)


def test_a_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1)
    write_two_ranks(tmp_path, 1, "again")
    assert commit(tmp_path, 1, "again", 2, {"tokens": 9}, timeout_s=1).dir == step_dir(tmp_path, 1)
    assert [path.name for path in complete(tmp_path)] == ["step-00000001"]


def test_one_set_aside_is_no_checkpoint_and_makes_way_for_the_next(tmp_path: Path) -> None:
    for _ in range(2):
        set_aside(checkpoint(tmp_path, 1).dir)
        assert complete(tmp_path) == []
    assert [path.name for path in tmp_path.glob("step-*")] == ["step-00000001.damaged"]
