from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from configs.schema.pretrain import Checkpoint
from pretrain.checkpoint.disk_space import most_at_a_time, refuse_run, refuse_save
from tests.pretrain.checkpoint.made import checkpoint

MIB = 1 << 20


@pytest.fixture
def ten_mib(disk: Callable[[str], Path]) -> Path:
    """A disk with some ten mebibytes left."""
    return disk("10m")


def _free(root: Path) -> int:
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize


def test_a_save_that_just_fits_is_begun_and_a_byte_more_is_refused(ten_mib: Path) -> None:
    refuse_save(ten_mib, _free(ten_mib))
    with pytest.raises(UserError) as raised:
        refuse_save(ten_mib, _free(ten_mib) + 1)
    assert str(raised.value) == (
        f"{ten_mib}: the next checkpoint takes 10.5 MB, the file system has 10.5 MB left; free 0.1 MB or lower "
        "pretrain.checkpoint.keep_last, and run the same command again"
    )


@pytest.mark.parametrize(
    ("settings", "saves", "count"),
    [
        pytest.param({"keep_last": 2}, 9, 3, id="those kept and the one being written"),
        pytest.param({"keep_last": 2}, 2, 2, id="a run that saves twice"),
        pytest.param({"keep_last": 1, "keep_best": 3}, 9, 5, id="the best besides"),
        pytest.param({"keep_last": 1, "every_steps": 1, "keep_every_steps": 3}, 9, 5, id="milestones are for good"),
    ],
)
def test_how_many_there_are_at_a_time(settings: dict[str, Any], saves: int, count: int) -> None:
    assert most_at_a_time(Checkpoint(**settings), range(1, saves + 1)) == count


def test_of_a_run_that_goes_back_two_more_are_kept_at_most() -> None:
    assert most_at_a_time(Checkpoint(keep_last=2), range(1, 9), goes_back=True) == 5


def test_a_run_that_just_fits_is_begun_and_a_larger_one_is_refused_with_figures(ten_mib: Path) -> None:
    settings, saves = Checkpoint(keep_last=2), [1, 2, 3, 4]
    third = _free(ten_mib) // 3
    refuse_run(ten_mib, third, settings, saves)
    with pytest.raises(UserError) as raised:
        refuse_run(ten_mib, third + MIB, settings, saves)
    assert str(raised.value) == (
        f"{ten_mib}: this run keeps up to 3 checkpoints of 4.5 MB at a time, 13.6 MB in all; 3.1 MB more are needed "
        "than the file system has left. Free them, keep fewer (pretrain.checkpoint.keep_last, keep_best, "
        "keep_every_steps), or name another run.dir"
    )


def test_what_an_earlier_attempt_wrote_counts_as_room(ten_mib: Path) -> None:
    # Its checkpoints make way for the new ones, or are kept and not written again.
    there = sum(path.stat().st_size for path in checkpoint(ten_mib, 1).dir.iterdir())
    refuse_run(ten_mib, _free(ten_mib) + there, Checkpoint(keep_last=1), [1])
    with pytest.raises(UserError, match=r"0\.1 MB more are needed"):
        refuse_run(ten_mib, _free(ten_mib) + there + 1, Checkpoint(keep_last=1), [1])
