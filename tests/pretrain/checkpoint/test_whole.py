from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import UserError
from pretrain.checkpoint.directory import point_to, remove_partial
from pretrain.checkpoint.part_file import part_name
from pretrain.checkpoint.whole import latest, spread
from tests.pretrain.checkpoint.made import checkpoint, write_two_ranks


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _newest(root: Path) -> str | None:
    found = latest(root)
    return None if found is None else found.dir.name


@pytest.mark.parametrize("damage", [Path.unlink, _cut, _flip], ids=["missing", "truncated", "one byte flipped"])
@pytest.mark.parametrize("name", [part_name(1), "part-00000.json"], ids=["boxes", "index"])
def test_the_newest_whole_checkpoint_is_the_latest(
    tmp_path: Path, damage: Callable[[Path], None], name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (1, 2):
        checkpoint(tmp_path, step)
    assert _newest(tmp_path) == "step-00000002"
    damage(tmp_path / "step-00000002" / name)
    assert _newest(tmp_path) == "step-00000001"
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert f"step-00000002/{name}: " in record.message


def test_where_none_is_whole_there_is_none(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    _flip(checkpoint(tmp_path, 1).path(part_name(0)))
    assert latest(tmp_path) is None


def test_a_killed_save_is_no_checkpoint_and_is_removed(tmp_path: Path) -> None:
    write_two_ranks(tmp_path, 3, "killed")
    assert latest(tmp_path) is None
    remove_partial(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_format_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, 1).path("manifest.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 1}))
    with pytest.raises(UserError, match=r"step-00000001: a checkpoint of format 1, this program writes and reads"):
        latest(tmp_path)


def test_the_pointer_is_what_was_committed_last_and_can_be_set_right(tmp_path: Path) -> None:
    pointer = tmp_path / "latest"
    first = checkpoint(tmp_path, 1)
    assert pointer.read_text() == "step-00000001\n"
    checkpoint(tmp_path, 2)
    assert pointer.read_text() == "step-00000002\n"
    point_to(tmp_path, first.dir)
    assert pointer.read_text() == "step-00000001\n"
    before = pointer.stat().st_mtime_ns
    point_to(tmp_path, first.dir)
    assert pointer.stat().st_mtime_ns == before


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(0, 99)), st.integers(1, 5))
def test_every_file_is_in_one_share_and_no_share_is_much_larger(sizes: dict[str, int], shares: int) -> None:
    cut = spread({name: {"bytes": size} for name, size in sizes.items()}, shares)
    assert len(cut) == shares
    assert sorted(name for share in cut for name in share) == sorted(sizes)
    totals = [sum(sizes[name] for name in share) for share in cut]
    assert max(totals) - min(totals) <= max(sizes.values(), default=0)
