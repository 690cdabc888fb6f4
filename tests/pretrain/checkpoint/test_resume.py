from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from pretrain.checkpoint.commit import commit
from pretrain.checkpoint.directory import complete
from pretrain.checkpoint.identity import BELONGS
from pretrain.checkpoint.resume import resume
from tests.pretrain.checkpoint.made import write_two_ranks

OURS = {"base": "b", "tokenizer": "t", "order": "o"}
SHAPES = {"w": (6, 4), "v": (5,)}


def _checkpoint(root: Path, step: int, belongs: dict[str, str] = OURS) -> Path:
    write_two_ranks(root, step)
    return commit(root, step, "a", 2, {BELONGS: belongs}, timeout_s=1).dir


def test_a_run_begins_where_there_is_no_checkpoint_and_goes_on_where_there_is_one(tmp_path: Path) -> None:
    write_two_ranks(tmp_path, 1, "killed")
    assert resume(tmp_path, OURS, SHAPES) is None
    assert list(tmp_path.iterdir()) == []
    there = _checkpoint(tmp_path, 1)
    found = resume(tmp_path, OURS, SHAPES)
    assert found is not None
    assert found.dir == there


@pytest.mark.parametrize(
    ("theirs", "shapes", "message"),
    [
        pytest.param(
            {**OURS, "base": "x", "order": "x"},
            SHAPES,
            "made with another base model, other data, or another seed",
            id="another base and seed",
        ),
        pytest.param({**OURS, "tokenizer": "x"}, SHAPES, "made with another tokenizer", id="another tokenizer"),
        pytest.param(
            OURS, {**SHAPES, "w": (8, 4)}, r"w is \[6, 4\], the model needs \[8, 4\]", id="another vocabulary"
        ),
        pytest.param(OURS, {**SHAPES, "u": (2,)}, r"u is missing, the model needs \[2\]", id="a tensor that it lacks"),
        pytest.param(OURS, {"w": (6, 4)}, "the model has no v", id="a tensor too many"),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_with_what_differs(
    tmp_path: Path, theirs: dict[str, str], shapes: dict[str, Any], message: str
) -> None:
    _checkpoint(tmp_path, 1, theirs)
    with pytest.raises(UserError, match=rf"step-00000001: a checkpoint of another run: {message}\. Remove it"):
        resume(tmp_path, OURS, shapes)


def test_a_long_list_of_differences_is_cut(tmp_path: Path) -> None:
    _checkpoint(tmp_path, 1)
    with pytest.raises(UserError, match=r"the model needs \[1\]; and 3 more tensors\. "):
        resume(tmp_path, OURS, {**{f"layer{k}": (1,) for k in range(4)}, **SHAPES, "w": (1, 1), "v": (1,)})


def test_damaged_ones_are_set_aside_and_the_pointer_follows(tmp_path: Path) -> None:
    first = _checkpoint(tmp_path, 1)
    for step in (2, 3):
        (_checkpoint(tmp_path, step) / "part-00000.json").unlink()
    assert (tmp_path / "latest").read_text() == "step-00000003\n"
    found = resume(tmp_path, OURS, SHAPES)
    assert found is not None
    assert found.dir == first
    assert complete(tmp_path) == [first]
    assert (tmp_path / "latest").read_text() == "step-00000001\n"
    assert sorted(path.name for path in tmp_path.glob("*.damaged")) == [
        "step-00000002.damaged",
        "step-00000003.damaged",
    ]


def test_a_run_whose_checkpoints_are_all_damaged_does_not_silently_begin_anew(tmp_path: Path) -> None:
    for step in (1, 2):
        (_checkpoint(tmp_path, step) / "part-00000.json").unlink()
    with pytest.raises(UserError, match=r"none of its 2 checkpoints is whole .* or remove them all to begin anew"):
        resume(tmp_path, OURS, SHAPES)
    assert len(complete(tmp_path)) == 2
