from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.commit import commit, latest, partial_dir, prune, remove_partial
from pretrain.checkpoint.part_file import part_name, write_part
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.base import StatePart

WHOLE = torch.arange(24, dtype=torch.float32).reshape(6, 4)
VECTOR = torch.arange(5, dtype=torch.float32) + 100


def part(name: str, whole: torch.Tensor, box: Box, kind: str = "master") -> StatePart:
    """A box of a tensor as an engine would give it."""
    return StatePart(name, tuple(whole.shape), box, kind, whole[box.slices])  # type: ignore[arg-type]  # a Kind


def write_two_ranks(root: Path, step: int, attempt: str = "a") -> None:
    """Rows 0 to 2 and the vector on rank 0, rows 3 to 5 in two pieces on rank 1."""
    directory = partial_dir(root, step, attempt)
    write_part(directory, 0, [part("w", WHOLE, Box((0, 0), (3, 4))), part("v", VECTOR, Box((0,), (5,)))])
    write_part(directory, 1, [part("w", WHOLE, Box((3, 0), (3, 1))), part("w", WHOLE, Box((3, 1), (3, 3)))])


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
    assert latest(tmp_path) is None


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


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [Path.unlink, _cut, _flip], ids=["missing", "truncated", "one byte flipped"])
def test_the_newest_whole_checkpoint_is_the_latest(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    for step in (1, 2):
        write_two_ranks(tmp_path, step)
        commit(tmp_path, step, "a", 2, {}, timeout_s=1)
    found = latest(tmp_path)
    assert found is not None
    assert found.dir.name == "step-00000002"
    assert (tmp_path / "latest").read_text() == "step-00000002\n"
    damage(tmp_path / "step-00000002" / part_name(1))
    found = latest(tmp_path)
    assert found is not None
    assert found.dir.name == "step-00000001"


def test_a_killed_save_is_no_checkpoint_and_is_removed(tmp_path: Path) -> None:
    write_two_ranks(tmp_path, 3, "killed")
    assert latest(tmp_path) is None
    remove_partial(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        write_two_ranks(tmp_path, step)
        commit(tmp_path, step, "a", 2, {}, timeout_s=1)
    prune(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000002", "step-00000003"]
