"""Checkpoints that learned what a rollback has undone go, whoever reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pretrain.checkpoint.commit import commit
from pretrain.checkpoint.directory import complete
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.undone import discard, undone
from pretrain.rollbacks import Rollback
from tests.pretrain.checkpoint.made import write_two_ranks

ROLLBACK = Rollback(4, 8, 6)


def made(root: Path, step: int, **state: Any) -> None:
    write_two_ranks(root, step)
    commit(root, step, "a", 2, state, timeout_s=1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two from before the rollback, two that it has undone, and one that was made since."""
    for step in (2, 4, 5, 7):
        made(tmp_path, step, rollbacks=[])
    made(tmp_path, 9, rollbacks=[ROLLBACK.to_json()])
    return tmp_path


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob("step-*"))


def test_those_between_its_first_step_and_the_next_that_was_taken_go(root: Path) -> None:
    assert [one.name for one in undone(root, [ROLLBACK])] == ["step-00000005", "step-00000007"]
    discard(root, [ROLLBACK])
    assert names(root) == ["step-00000002", "step-00000004", "step-00000009"]
    discard(root, [ROLLBACK])
    assert len(complete(root)) == 3


def test_without_a_rollback_nothing_is_looked_at(root: Path) -> None:
    (root / "step-00000002" / "manifest.json").write_text("no JSON")
    discard(root, [])
    assert len(names(root)) == 5


def test_one_that_is_read_is_no_checkpoint_any_more(root: Path) -> None:
    reader = CheckpointReader(next(one for one in opened(root) if one.dir.name == "step-00000007"))
    discard(root, [ROLLBACK])
    assert names(root) == ["step-00000002", "step-00000004", "step-00000007.undone", "step-00000009"]
    reader.close()


def opened(root: Path) -> list[Any]:
    from configs.artifact import Artifact

    return [Artifact.open(one) for one in complete(root)]


def test_when_none_is_left_none_is_named_as_the_newest(tmp_path: Path) -> None:
    made(tmp_path, 5, rollbacks=[])
    assert (tmp_path / "latest").exists()
    discard(tmp_path, [ROLLBACK])
    assert list(tmp_path.iterdir()) == []
