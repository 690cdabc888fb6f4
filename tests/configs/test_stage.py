"""What a stage would do: its state, its inputs, and when it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from configs.raw_input import find_files
from configs.stage import StagePlan, refuse_unfinished


def plan(directory: Path, **different: object) -> StagePlan:
    """A stage without inputs, or with some."""
    return StagePlan(**{"name": "pack", "dir": directory, "kind": "tokens", "version": 1, "config": {}, **different})  # type: ignore[arg-type]


def finish(stage: StagePlan, content: bytes = b"x") -> None:
    """Do the stage."""
    builder = stage.build()
    with builder.file("part.bin") as out:
        out.write(content)
    builder.finish({})


def test_a_stage_is_to_do_then_begun_then_complete(tmp_path: Path) -> None:
    stage = plan(tmp_path / "tokens")
    states = [stage.state]
    for step in (stage.build, lambda: finish(stage)):
        step()
        states.append(stage.state)
    assert states == ["to do", "begun", "complete"]


def test_input_bytes_count_raw_files_and_finished_stages(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_bytes(b"12345")
    first = plan(tmp_path / "first")
    second = plan(
        tmp_path / "second",
        upstream={"corpus": first.dir, "other": tmp_path / "none"},
        raw={"files": find_files(str(tmp_path / "raw.txt"), what="x"), "hub": "revision"},
    )
    assert second.input_bytes == 5
    finish(first, b"1234567")
    assert second.input_bytes == 12


def test_a_stage_needs_the_earlier_ones(tmp_path: Path) -> None:
    stage = plan(tmp_path / "second", upstream={"corpus": tmp_path / "first"})
    with pytest.raises(UserError) as caught:
        stage.build()
    assert str(caught.value) == f"{tmp_path / 'first'}: does not exist; run the stage that makes it first"
    stage.check()
    assert not stage.dir.exists()


def test_check_refuses_what_build_refuses(tmp_path: Path) -> None:
    finish(plan(tmp_path / "tokens", config={"a": 1}))
    other = plan(tmp_path / "tokens", config={"a": 2})
    for call in (other.build, other.check):
        with pytest.raises(UserError, match="a: 1 -> 2"):
            call()
    assert other.state == "complete"


def test_reading_an_unfinished_stage_names_it(tmp_path: Path) -> None:
    stage = plan(tmp_path / "tokens")
    stage.build()
    with pytest.raises(UserError) as caught:
        refuse_unfinished(stage)
    assert str(caught.value) == (f"{stage.dir}: not finished; run `tsugiki run` or the stage 'pack' first")
    finish(stage)
    assert refuse_unfinished(stage).files["part.bin"]["bytes"] == 1
