"""Files appear whole or not at all; what fails is told with the way out, and nothing is left behind."""

from __future__ import annotations

import argparse
import errno
import hashlib
import io
import json
import os
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs import cli
from configs.artifact import Claim, build
from configs.atomic_file import atomic_file, canonical_json, read_json, remove_leftovers, sha256_of, write_json
from configs.errors import UserError
from configs.lock import exclusive


def names(directory: Path) -> list[str]:
    """What is in a directory, hidden files too."""
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_when_it_is_whole_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "part.txt"
    with atomic_file(path) as out:
        out.write(b"one ")
        out.flush()
        assert not path.exists()
        out.write(b"two")
    assert path.read_bytes() == b"one two"
    assert names(path.parent) == ["part.txt"]
    assert out.record == {"bytes": 7, "sha256": hashlib.sha256(b"one two").hexdigest()}
    assert out.tell() == 7


def test_a_file_that_is_there_is_replaced_as_a_whole_or_stays(tmp_path: Path) -> None:
    path = tmp_path / "part.txt"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_file(path) as out:
        assert out.write(b"new") / 0
    assert path.read_bytes() == b"old"
    with atomic_file(path) as out:
        out.write(b"new")
    assert path.read_bytes() == b"new"
    assert names(tmp_path) == ["part.txt"]


def test_who_waits_for_a_file_may_rename_its_directory_as_soon_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def replace_and_be_seen(old: Path, new: Path) -> None:
        replace(old, new)
        replace(tmp_path / "partial", tmp_path / "final")

    monkeypatch.setattr(os, "replace", replace_and_be_seen)
    write_json(tmp_path / "partial" / "rank-1.json", {})
    assert names(tmp_path / "final") == ["rank-1.json"]


_LARGE = 1 << 18  # a longer piece is written beside
_LENT = [("lent", 300_000)] * 6


@settings(max_examples=8, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["bytes", "changed afterwards", "lent"]), st.sampled_from([1, _LARGE, 300_000])),
        max_size=8,
    )
)
def test_pieces_of_any_kind_are_hashed_and_written_in_order(given: list[tuple[str, int]]) -> None:
    whole = b""
    with TemporaryDirectory() as folder:
        with atomic_file(Path(folder) / "part.bin") as out:
            for number, (kind, size) in enumerate([*given, *_LENT, *given]):
                memory = bytearray(number.to_bytes(2, "big") * size)
                whole += memory
                out.write({"bytes": bytes(memory), "lent": memoryview(memory).toreadonly()}.get(kind, memory))
                if kind == "changed afterwards":
                    memory[:] = bytes(len(memory))
                assert out.tell() == len(whole)
        assert (Path(folder) / "part.bin").read_bytes() == whole
    assert out.record == {"bytes": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}


def test_a_disk_that_is_full_when_a_lent_piece_is_written_is_told_and_nothing_is_left(
    disk: Callable[[str], Path],
) -> None:
    tiny = disk("1m")
    piece = memoryview(bytes(700_000))

    def write() -> None:
        with atomic_file(tiny / "part.bin") as out:
            out.write(piece)
            out.write(piece)

    with pytest.raises(UserError, match=r"part\.bin: no space left on the device"):
        write()
    assert names(tiny) == []


def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def stopped() -> None:
        with atomic_file(tmp_path / "part.txt") as out:
            out.write(b"x" * 3_000_000)
            assert len(names(tmp_path)) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert names(tmp_path) == []


def test_two_attempts_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "part.txt"
    with atomic_file(path) as one, atomic_file(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one"
    assert names(tmp_path) == ["part.txt"]


def test_a_full_disk_is_told_and_with_more_space_the_work_goes_on(disk: Callable[[str], Path], tmp_path: Path) -> None:
    def work(directory: Path) -> bytes:
        builder = build(directory / "k", kind="k", version=1, config={}, inputs={})
        for key, size in (("small", 1000), ("large", 300_000)):
            claim = builder.task(key)
            if isinstance(claim, Claim):
                with claim.file(f"{key}.bin") as out:
                    for _ in range(size // 1000):
                        out.write(b"x" * 1000)
                claim.done()
        builder.finish({})
        return (directory / "k" / "manifest.json").read_bytes()

    tiny = disk("256k")
    with pytest.raises(UserError) as caught:
        work(tiny)
    assert str(caught.value) == (
        f"{tiny / 'k/large.bin'}: no space left on the device; "
        "free some and run the same command again, finished work is kept"
    )
    assert names(tiny / "k") == [".tasks", "plan.json", "run.jsonl", "small.bin"]
    disk("2m")
    assert work(tiny) == work(tmp_path)


@pytest.mark.parametrize(
    ("verb", "named"),
    [pytest.param("lock", "run/.lock", id="lock"), pytest.param("build", "run/plan.json", id="plan")],
)
def test_a_directory_without_permission_is_told_by_the_command_line(
    public: Path, as_nobody: Callable[[Callable[[], Any]], Any], verb: str, named: str
) -> None:
    directory = public / "run"
    directory.mkdir(mode=0o555)

    def do(_: argparse.Namespace) -> None:
        if verb == "lock":
            with exclusive(directory):
                pass
        else:
            build(directory, kind="k", version=1, config={}, inputs={})

    def run() -> tuple[int, str]:
        with redirect_stderr(io.StringIO()) as told:
            status = cli.main("test", lambda parser: parser.set_defaults(do=do), [])
        return status, told.getvalue()

    assert as_nobody(run) == [
        1,
        f"tsugiki: {public / named}: no permission; give this user access, or name another directory\n",
    ]
    assert names(directory) == []


@pytest.mark.parametrize(
    ("prepare", "name", "complaint"),
    [
        pytest.param(
            lambda root: (root / "file").write_text(""),
            "file/part.txt",
            "{root}/file: a file of that name is in the way",
            id="file where a folder must be",
        ),
        pytest.param(
            lambda root: (root / "file").write_text(""),
            "file/deeper/part.txt",
            "{root}/file/deeper: a part of the path is a file, not a directory",
            id="file in the middle of the path",
        ),
        pytest.param(
            lambda root: None,
            "x" * 300,
            "{root}/" + "x" * 300 + ": the path is too long for the file system; name a shorter directory",
            id="name too long",
        ),
    ],
)
def test_a_path_that_cannot_be_is_told(
    tmp_path: Path, prepare: Callable[[Path], object], name: str, complaint: str
) -> None:
    prepare(tmp_path)
    with pytest.raises(UserError) as caught, atomic_file(tmp_path / name):
        pass
    assert str(caught.value) == complaint.format(root=tmp_path)


def test_what_the_user_cannot_mend_keeps_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="strange") as caught, atomic_file(tmp_path / "part.txt"):
        raise OSError(errno.EBADF, "strange")
    assert caught.value.errno == errno.EBADF
    assert names(tmp_path) == []


def test_canonical_json_is_sorted_utf8_with_a_line_end() -> None:
    assert canonical_json({"b": [1, 2.5, None, True], "a": "定量"}) == (
        '{\n "a": "定量",\n "b": [\n  1,\n  2.5,\n  null,\n  true\n ]\n}\n'.encode()
    )


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))


@given(JSON)
def test_json_comes_back_and_is_written_the_same_way_again(value: object) -> None:
    once = canonical_json(value)
    assert json.loads(once) == value
    assert canonical_json(json.loads(once)) == once


def test_written_json_is_read_back_and_its_record_is_right(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    record = write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    assert record == {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b'{"a": "\xff"}', b"nonsense"], ids=repr)
def test_json_of_ours_that_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_json(path)
    assert str(caught.value) == f"{path}: damaged, not JSON; copy it again, or remove its directory and run again"


def test_leftovers_are_removed_at_every_depth(tmp_path: Path) -> None:
    for name in ("a/b/.x.partial", ".y.partial", "a/x.partial", "a/.hidden"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"x.partial", ".hidden"}
