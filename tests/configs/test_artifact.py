"""The artifact protocol: complete with a manifest only, the same bytes whatever happened on the way, no mixed work."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.artifact import Artifact, Builder, Claim, Done, build, check
from configs.errors import UserError
from configs.journal import JOURNAL
from configs.raw_input import RawFile, find_files

REPOSITORY = Path(__file__).parents[2]
TASKS = 3


def squares(directory: Path, moment: str = "") -> subprocess.CompletedProcess[str]:
    """Run the stage as a program."""
    command = [sys.executable, str(Path(__file__).with_name("squares.py")), str(directory), str(TASKS), moment]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def bytes_of(directory: Path) -> dict[str, bytes]:
    """Every file that a digest covers, and the manifest."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name not in (JOURNAL, ".lock"))
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}


def one_file(directory: Path, content: bytes = b"x", **different: Any) -> Artifact:
    """A complete directory with one file."""
    builder = build(directory, **{"kind": "k", "version": 1, "config": {"a": 1}, "inputs": {}, **different})
    assert builder.complete is None
    with builder.file("part.txt") as out:
        out.write(content)
    return builder.finish({"parts": 1})


def refusal(call: Callable[[], object]) -> str:
    """What a call that must fail says."""
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


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


def test_the_directory_is_absent_unfinished_or_of_another_kind(tmp_path: Path) -> None:
    directory = tmp_path / "k"
    assert refusal(lambda: Artifact.open(directory)) == (
        f"{directory}: does not exist; run the stage that makes it first"
    )
    directory.mkdir()
    assert refusal(lambda: Artifact.open(directory)) == (
        f"{directory}: is not finished; run the stage that makes it first"
    )
    one_file(directory)
    assert refusal(lambda: Artifact.open(directory, kind="other")) == f"{directory}: holds k, expected other"
    assert Artifact.open(directory, kind="k").counts == {"parts": 1}


@pytest.mark.parametrize(
    ("damage", "by", "complaint"),
    [
        pytest.param(
            lambda path: path.unlink(),
            "size",
            "missing, though the manifest names it; remove the directory and run again",
            id="missing",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"abc"),
            "size",
            "3 bytes, the manifest says 4; remove the directory and run again",
            id="short",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"abcde"),
            "size",
            "5 bytes, the manifest says 4; remove the directory and run again",
            id="long",
        ),
        pytest.param(
            lambda path: path.write_bytes(b"abce"),
            "sha256",
            "its bytes changed since it was written (SHA-256 differs from the manifest)",
            id="flipped bit",
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, damage: Callable[[Path], object], by: str, complaint: str) -> None:
    one_file(tmp_path / "k", b"abcd")
    damage(tmp_path / "k" / "part.txt")
    assert refusal(lambda: Artifact.open(tmp_path / "k", check="sha256")) == f"{tmp_path / 'k/part.txt'}: {complaint}"
    if by == "size":
        assert refusal(lambda: Artifact.open(tmp_path / "k")).endswith(complaint)
    else:
        Artifact.open(tmp_path / "k")


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    one_file(tmp_path / "k")
    (tmp_path / "k" / "manifest.json").write_text('{"kind": "k"')
    assert refusal(lambda: Artifact.open(tmp_path / "k")) == (
        f"{tmp_path / 'k/manifest.json'}: damaged, not JSON; remove its directory and run again"
    )


def test_another_config_is_refused_with_the_keys_that_changed(tmp_path: Path) -> None:
    directory = tmp_path / "k"
    one_file(directory, config={"dedup": {"threshold": 0.8, "bands": 32}, "seed": 1, "old": True})
    message = refusal(
        lambda: one_file(directory, config={"dedup": {"threshold": 0.7, "bands": 32}, "seed": 2, "n": []})
    )
    assert message == (
        f"{directory}: was made by another run file: dedup.threshold: 0.8 -> 0.7; n: null -> []; "
        f"old: true -> null; seed: 1 -> 2. Name another run.dir, or remove {directory} and what follows from it"
    )


def test_of_many_changes_eight_are_shown_and_the_others_counted(tmp_path: Path) -> None:
    one_file(tmp_path / "k", config={f"k{n}": 0 for n in range(10)})
    message = refusal(lambda: one_file(tmp_path / "k", config={f"k{n}": 1 for n in range(10)}))
    assert "k7: 0 -> 1; and 2 more. " in message
    assert "k8" not in message


@pytest.mark.parametrize("finished", [True, False], ids=["complete", "begun"])
@pytest.mark.parametrize(
    ("different", "complaint"),
    [
        pytest.param({"version": 2}, "was made by another run file: algorithm version 1 -> 2. ", id="version"),
        pytest.param({"kind": "other"}, "holds k, expected other; name another run.dir", id="kind"),
        pytest.param({"inputs": {"hub": "abc"}}, "was made by another run file: hub was made anew. ", id="input"),
    ],
)
def test_another_algorithm_kind_or_input_is_refused(
    tmp_path: Path, finished: bool, different: dict[str, Any], complaint: str
) -> None:
    same: dict[str, Any] = {"kind": "k", "version": 1, "config": {"a": 1}, "inputs": {}}
    if finished:
        one_file(tmp_path / "k")
    else:
        build(tmp_path / "k", **same)
    before = bytes_of(tmp_path / "k")
    assert complaint in refusal(lambda: build(tmp_path / "k", **{**same, **different}))
    assert complaint in refusal(lambda: check(tmp_path / "k", **{**same, **different}))
    assert bytes_of(tmp_path / "k") == before


def test_an_earlier_stage_that_was_made_anew_is_named(tmp_path: Path) -> None:
    first = one_file(tmp_path / "first")
    one_file(tmp_path / "second", inputs={"corpus": first})
    shutil.rmtree(tmp_path / "first")
    again = one_file(tmp_path / "first")
    assert build(tmp_path / "second", kind="k", version=1, config={"a": 1}, inputs={"corpus": again}).complete
    shutil.rmtree(tmp_path / "first")
    other = one_file(tmp_path / "first", config={"a": 2})
    assert "corpus was made anew" in refusal(lambda: one_file(tmp_path / "second", inputs={"corpus": other}))


def test_check_touches_nothing(tmp_path: Path) -> None:
    check(tmp_path / "k", kind="k", version=1, config={}, inputs={})
    assert not (tmp_path / "k").exists()


class Source:
    """Raw files that a stage reads, and the stage."""

    def __init__(self, root: Path) -> None:
        self.root, self.out = root / "raw", root / "out"
        self.root.mkdir()
        for name in ("a.txt", "b.txt"):
            (self.root / name).write_text(f"content of {name}")

    def files(self) -> tuple[RawFile, ...]:
        """The files as they are now."""
        return find_files(str(self.root), what="raw")

    def build(self) -> Builder:
        """Begin, or find complete."""
        return build(self.out, kind="k", version=1, config={}, inputs={"web": self.files()})

    def finish(self) -> None:
        """Do it, leaving what was read of every file in two pieces."""
        builder = self.build()
        with builder.file("inputs/web.jsonl") as out:
            for file in self.files():
                content = file.path.read_bytes()
                for start, end in ((0, 3), (3, len(content))):
                    digest = hashlib.sha256(content[start:end]).hexdigest()
                    piece = {"name": file.name, "start": start, "end": end, "sha256": digest}
                    out.write((json.dumps(piece) + "\n").encode())
        builder.finish({})


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A finished stage over two raw files."""
    source = Source(tmp_path)
    source.finish()
    return source


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param(
            lambda root: (root / "b.txt").write_text("changed!"), "web changed 'b.txt' (16 -> 8 bytes)", id="size"
        ),
        pytest.param(
            lambda root: (root / "b.txt").write_text("content of b.tyt"), "web changed 'b.txt'", id="equal size"
        ),
        pytest.param(
            lambda root: (root / "b.txt").write_text("contAnt of b.txt"), "web changed 'b.txt'", id="2nd piece"
        ),
        pytest.param(lambda root: (root / "b.txt").unlink(), "web lost 'b.txt'", id="removed"),
        pytest.param(lambda root: (root / "c.txt").write_text(""), "web gained 'c.txt'", id="added"),
        pytest.param(
            lambda root: (root / "b.txt").rename(root / "c.txt"), "web lost 'b.txt'; web gained 'c.txt'", id="renamed"
        ),
    ],
)
def test_a_source_file_that_changed_is_refused_by_name(
    source: Source, change: Callable[[Path], object], complaint: str
) -> None:
    change(source.root)
    later = source.root / "b.txt"
    if later.exists():
        os.utime(later, ns=(1, 1))  # a change within the clock's resolution would not show
    assert refusal(source.build) == (
        f"{source.out}: was made by another run file: {complaint}. "
        f"Name another run.dir, or remove {source.out} and what follows from it"
    )


def test_a_source_file_that_was_touched_but_is_equal_is_accepted(source: Source) -> None:
    os.utime(source.root / "b.txt", ns=(1, 1))
    assert source.build().complete is not None


def test_a_source_folder_that_moved_is_accepted(source: Source, tmp_path: Path) -> None:
    source.root = source.root.rename(tmp_path / "moved")
    assert source.build().complete is not None


def test_a_source_that_is_no_longer_files_is_refused(source: Source) -> None:
    message = refusal(lambda: build(source.out, kind="k", version=1, config={}, inputs={"web": "a-dataset"}))
    assert "web was made anew" in message


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
