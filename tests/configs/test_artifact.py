"""The artifact protocol: complete with a manifest only, the same bytes whatever happened on the way, no mixed work."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from configs.artifact import Artifact, Claim, Done, build
from configs.journal import JOURNAL
from configs.raw_input import find_files
from tests.configs.directories import bytes_of, one_file, refusal

REPOSITORY = Path(__file__).parents[2]
TASKS = 3


def squares(directory: Path, moment: str = "") -> subprocess.CompletedProcess[str]:
    """Run the stage as a program."""
    command = [sys.executable, str(Path(__file__).with_name("squares.py")), str(directory), str(TASKS), moment]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the stage gives when nothing happens to it."""
    directory = tmp_path_factory.mktemp("undisturbed") / "squares"
    assert squares(directory).returncode == 0
    return bytes_of(directory)


def test_a_finished_stage_leaves_its_files_the_manifest_and_the_plan(undisturbed: dict[str, bytes]) -> None:
    assert undisturbed.keys() == {
        *("squares/0.txt", "squares/1.txt", "squares/2.txt", "sum.txt"),
        *("manifest.json", "plan.json"),
    }
    manifest = json.loads(undisturbed["manifest.json"])
    assert manifest["files"].keys() == {"squares/0.txt", "squares/1.txt", "squares/2.txt", "sum.txt"}
    assert manifest["counts"] == {"tasks": 3, "sum": 5}


@pytest.mark.parametrize(
    ("moment", "left"),
    [
        pytest.param("before task 0", [0, 1, 2], id="before anything"),
        pytest.param("in the file of task 0", [0, 1, 2], id="in the first file"),
        pytest.param("before the marker of task 1", [1, 2], id="after the files, before the marker"),
        pytest.param("before task 2", [2], id="between two tasks"),
        pytest.param("before the file of the whole", [], id="after the last task"),
        pytest.param("in the file of the whole", [], id="in the last file"),
        pytest.param("before the manifest", [], id="before the manifest"),
    ],
)
def test_killed_and_run_again_the_bytes_are_the_same_and_finished_tasks_are_not_done_again(
    tmp_path: Path, undisturbed: dict[str, bytes], moment: str, left: list[int]
) -> None:
    directory = tmp_path / "elsewhere" / "squares"
    assert squares(directory, moment).returncode == -9
    assert "is not finished" in refusal(lambda: Artifact.open(directory))
    again = squares(directory)
    assert (again.returncode, again.stdout.split()) == (0, [f"square-{number}" for number in left])
    assert bytes_of(directory) == undisturbed
    Artifact.open(directory, check="sha256")


def test_a_complete_stage_is_not_done_again(tmp_path: Path) -> None:
    directory = tmp_path / "squares"
    squares(directory)
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*")}
    again = squares(directory)
    assert (again.returncode, again.stdout) == (0, "")
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*")} == before


def test_killed_between_the_manifest_and_the_tidying_it_is_complete_and_tidied(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    directory = tmp_path / "squares"
    squares(directory, "before the manifest")
    kept = tmp_path / "kept"
    shutil.copytree(directory / ".tasks", kept)
    squares(directory)
    shutil.copytree(kept, directory / ".tasks")
    assert squares(directory).stdout == ""
    assert bytes_of(directory) == undisturbed


def test_a_manifest_knows_no_time_no_host_and_no_path(tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("a")
    files = find_files(str(tmp_path / "raw"), what="raw")
    one = one_file(tmp_path / "one", inputs={"raw": files})
    os.utime(tmp_path / "raw" / "a.txt", (1, 1))
    other = one_file(tmp_path / "b" / "other", inputs={"raw": find_files(str(tmp_path / "raw"), what="raw")})
    text = (tmp_path / "one" / "manifest.json").read_bytes()
    assert (tmp_path / "b" / "other" / "manifest.json").read_bytes() == text
    assert one.digest == other.digest
    for word in (str(tmp_path), socket.gethostname(), platform.python_version(), "mtime", str(os.getpid())):
        assert word not in text.decode()


def test_a_manifest_is_the_same_for_any_order_of_keys_and_of_tasks(tmp_path: Path) -> None:
    def make(directory: Path, config: dict[str, int], order: list[int]) -> Artifact:
        builder = build(directory, kind="k", version=1, config=config, inputs={})
        for number in order:
            claim = builder.task(f"t{number}")
            assert isinstance(claim, Claim)
            with claim.file(f"{number}.txt") as out:
                out.write(f"{number}".encode())
            claim.done(number)
        return builder.finish({"b": 1, "a": 2})

    one = make(tmp_path / "one", {"x": 1, "y": 2}, [0, 1, 2])
    other = make(tmp_path / "other", {"y": 2, "x": 1}, [2, 0, 1])
    assert one.digest == other.digest
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")


@pytest.mark.parametrize(
    "different",
    [
        pytest.param({"kind": "other"}, id="kind"),
        pytest.param({"version": 2}, id="version"),
        pytest.param({"config": {"a": 2}}, id="config"),
        pytest.param({"inputs": {"x": "word"}}, id="inputs"),
        pytest.param({"content": b"y"}, id="a file"),
    ],
)
def test_the_digest_covers(tmp_path: Path, different: dict[str, Any]) -> None:
    assert one_file(tmp_path / "one").digest != one_file(tmp_path / "other", **different).digest


def test_what_is_opened_later_equals_what_was_finished(tmp_path: Path) -> None:
    finished = one_file(tmp_path / "k", config={"pair": (1, 2)})
    assert Artifact.open(tmp_path / "k") == finished


def test_a_task_whose_file_is_gone_or_short_is_done_again(tmp_path: Path) -> None:
    def begin() -> Claim | Done:
        return build(tmp_path / "k", kind="k", version=1, config={}, inputs={}).task("t")

    claim = begin()
    assert isinstance(claim, Claim)
    with claim.file("part.txt") as out:
        out.write(b"abc")
    claim.done({"n": 1})
    assert begin() == Done({"n": 1})
    (tmp_path / "k" / "part.txt").write_bytes(b"ab")
    assert isinstance(begin(), Claim)
    (tmp_path / "k" / "part.txt").unlink()
    assert isinstance(begin(), Claim)


def test_the_result_of_a_task_is_the_same_now_and_later(tmp_path: Path) -> None:
    def begin() -> Claim | Done:
        return build(tmp_path / "k", kind="k", version=1, config={}, inputs={}).task("t")

    claim = begin()
    assert isinstance(claim, Claim)
    now = claim.done({"b": (1, 2), "a": {"z": None, "y": 1.5}})
    later = begin()
    assert isinstance(later, Done)
    assert now == later == Done({"a": {"y": 1.5, "z": None}, "b": [1, 2]})
    assert json.dumps(now.result) == json.dumps(later.result)  # the order of keys too, in which results are written


def test_a_task_done_under_another_plan_is_done_again(tmp_path: Path) -> None:
    build(tmp_path / "k", kind="k", version=1, config={"a": 1}, inputs={}).task("t").done(1)  # type: ignore[union-attr]
    (tmp_path / "k" / "plan.json").unlink()
    assert isinstance(build(tmp_path / "k", kind="k", version=1, config={"a": 2}, inputs={}).task("t"), Claim)


def test_leftovers_of_killed_attempts_are_removed_and_nothing_else(tmp_path: Path) -> None:
    directory = tmp_path / "k"
    builder = build(directory, kind="k", version=1, config={}, inputs={})
    (directory / "deep").mkdir()
    for name in (".part.txt.host.1.abc.partial", "deep/.x.host.2.abc.partial", "deep/own.partial", "notes.txt"):
        (directory / name).write_text("left")
    builder.finish({})
    left = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
    assert left == {"deep/own.partial", "notes.txt", "manifest.json", "plan.json", JOURNAL}


def test_a_file_that_a_library_wrote_is_taken_in_with_its_digest(tmp_path: Path) -> None:
    builder = build(tmp_path / "k", kind="k", version=1, config={}, inputs={})
    (tmp_path / "k" / "model.bin").write_bytes(b"weights")
    builder.adopt("model.bin")
    artifact = builder.finish({})
    assert artifact.files["model.bin"]["bytes"] == 7
    (tmp_path / "k" / "model.bin").write_bytes(b"weightz")
    assert "model.bin: its bytes changed" in refusal(lambda: Artifact.open(tmp_path / "k", check="sha256"))


def test_a_complete_directory_below_is_taken_in_with_its_manifest(tmp_path: Path) -> None:
    builder = build(tmp_path / "k", kind="k", version=1, config={}, inputs={})
    builder.include(one_file(tmp_path / "k" / "step-5", b"abc"))
    artifact = builder.finish({})
    assert set(artifact.files) == {"step-5/part.txt", "step-5/manifest.json"}
    assert artifact.below("step-5") == [tmp_path / "k/step-5/manifest.json", tmp_path / "k/step-5/part.txt"]
    Artifact.open(tmp_path / "k", check="sha256")


def test_the_files_of_a_folder_are_not_those_of_one_whose_name_begins_alike(tmp_path: Path) -> None:
    builder = build(tmp_path / "k", kind="k", version=1, config={}, inputs={})
    for name in ("kept/b", "kept/a", "kept-too/c"):
        with builder.file(name) as out:
            out.write(b"x")
    artifact = builder.finish({})
    assert artifact.below("kept") == [tmp_path / "k/kept/a", tmp_path / "k/kept/b"]
    assert artifact.path("kept/a") == tmp_path / "k/kept/a"


def test_a_number_that_json_cannot_hold_is_a_bug_and_leaves_no_manifest(tmp_path: Path) -> None:
    builder = build(tmp_path / "k", kind="k", version=1, config={}, inputs={})
    with pytest.raises(ValueError, match="not JSON compliant"):
        builder.finish({"loss": float("nan")})
    assert not (tmp_path / "k" / "manifest.json").exists()
    assert list((tmp_path / "k").rglob("*.partial")) == []
