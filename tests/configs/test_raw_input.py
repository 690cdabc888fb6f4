"""Finding the files of a source: a path, a folder, a glob; named the same on every machine."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from configs.raw_input import RawFile, find_files, total_bytes


def names(pattern: Path | str) -> list[str]:
    """The names that a pattern finds."""
    return [file.name for file in find_files(str(pattern), what="corpus.sources.a.path")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files at several depths, and some that are hidden."""
    root = tmp_path / "src"
    for name in ("b.txt", "a.txt", "mail/2024/x.jsonl", "mail/y.jsonl", ".git/config", "mail/.DS_Store", ".hidden.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_a_folder_gives_all_files_to_the_bottom_by_name_but_hidden_ones(folder: Path) -> None:
    assert names(folder) == ["a.txt", "b.txt", "mail/2024/x.jsonl", "mail/y.jsonl"]


def test_a_path_gives_one_file_named_without_its_folder(folder: Path) -> None:
    assert names(folder / "mail" / "y.jsonl") == ["y.jsonl"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        pytest.param("*.txt", ["a.txt", "b.txt"], id="one level"),
        pytest.param("**/*.jsonl", ["mail/2024/x.jsonl", "mail/y.jsonl"], id="every level"),
        pytest.param("mail/*", ["y.jsonl"], id="folders are no files"),
        pytest.param("m*l/*.jsonl", ["mail/y.jsonl"], id="folder by pattern"),
        pytest.param("[ab].txt", ["a.txt", "b.txt"], id="characters"),
    ],
)
def test_a_glob_names_files_below_its_fixed_part(folder: Path, pattern: str, found: list[str]) -> None:
    assert names(folder / pattern) == found


def test_names_do_not_depend_on_where_the_folder_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = names(folder)
    monkeypatch.chdir(folder.parent)
    assert names("src") == names("./src/") == names("src/**/*") == absolute
    monkeypatch.chdir(folder)
    assert names(".") == absolute


def test_a_file_whose_name_looks_like_a_pattern_is_itself(tmp_path: Path) -> None:
    (tmp_path / "report[1].txt").write_text("x")
    (tmp_path / "report1.txt").write_text("y")
    assert names(tmp_path / "report[1].txt") == ["report[1].txt"]


def test_a_name_in_an_old_encoding_becomes_text_and_the_file_is_found(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/" + "議事録".encode("cp932") + b".txt"
    with open(raw, "w") as out:
        out.write("x")
    (found,) = find_files(str(tmp_path), what="x")
    assert found.name == "\\x8bc\\x8e\\x96\\x98^.txt"
    assert found.path.read_text() == "x"
    assert found.name.encode()


def test_a_file_is_described_by_size_and_time(folder: Path) -> None:
    os.utime(folder / "a.txt", ns=(5, 7))
    found = find_files(str(folder / "a.txt"), what="x")
    assert found == (RawFile("a.txt", folder / "a.txt", 5, 7),)
    assert found[0].identity() == {"bytes": 5, "mtime_ns": 7}
    assert total_bytes(find_files(str(folder), what="x")) == sum(len(name) for name in names(folder))


def test_links_are_followed_to_files_and_folders(folder: Path, tmp_path: Path) -> None:
    (folder / "link.txt").symlink_to(folder / "a.txt")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "z.txt").write_text("z")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    (folder / "nowhere.txt").symlink_to(tmp_path / "gone")
    assert set(names(folder)) - {"a.txt", "b.txt", "mail/2024/x.jsonl", "mail/y.jsonl"} == {"link.txt", "more/z.txt"}


def test_what_does_not_exist_is_told_with_the_key_and_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        names("none")
    assert str(caught.value) == (
        f"corpus.sources.a.path: no such file or folder: 'none' (relative paths start at {tmp_path})"
    )
    with pytest.raises(UserError) as caught:
        names("none/*.txt")
    assert str(caught.value) == (
        "corpus.sources.a.path: no file matches 'none/*.txt'; a folder name reads all files below it"
    )


def test_a_folder_that_may_not_be_read_is_told(public: Path, as_nobody: Callable[[Callable[[], Any]], Any]) -> None:
    (public / "mail" / "closed").mkdir(parents=True)
    (public / "mail" / "closed").chmod(0)

    def told() -> str:
        try:
            return str(names(public))
        except UserError as error:
            return str(error)

    closed = str(public / "mail" / "closed")
    assert as_nobody(told) == f"corpus.sources.a.path: cannot read the folder {closed!r}: Permission denied"
