"""A directory that is not what is asked for is refused, by name and with what differs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.artifact import Artifact, Builder, build, check
from configs.raw_input import RawFile, find_files
from tests.configs.directories import bytes_of, one_file, refusal


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
        f"{tmp_path / 'k/manifest.json'}: damaged, not JSON; copy it again, or remove its directory and run again"
    )


def test_another_config_is_refused_with_the_keys_that_changed(tmp_path: Path) -> None:
    directory = tmp_path / "k"
    one_file(directory, config={"dedup": {"threshold": 0.8, "bands": 32}, "seed": 1, "old": True})
    message = refusal(
        lambda: one_file(directory, config={"dedup": {"threshold": 0.7, "bands": 32}, "seed": 2, "n": []})
    )
    assert message == (
        f"{directory}: was made differently: dedup.threshold: 0.8 -> 0.7; n: null -> []; "
        "old: true -> null; seed: 1 -> 2. "
        f"Name another run.dir or --out, or remove {directory} and what follows from it"
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
        pytest.param({"version": 2}, "was made differently: algorithm version 1 -> 2. ", id="version"),
        pytest.param({"kind": "other"}, "holds k, expected other; name another run.dir or --out", id="kind"),
        pytest.param({"inputs": {"hub": "abc"}}, "was made differently: hub was made anew. ", id="input"),
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


def test_another_commit_of_an_input_is_refused_with_both(tmp_path: Path) -> None:
    one_file(tmp_path / "k", inputs={"base": "a@1"})
    assert ": base: a@1 -> a@2. " in refusal(lambda: one_file(tmp_path / "k", inputs={"base": "a@2"}))


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
        f"{source.out}: was made differently: {complaint}. "
        f"Name another run.dir or --out, or remove {source.out} and what follows from it"
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
