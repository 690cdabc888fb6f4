"""Reading files without a run file: every file has its encoding, or the reason why not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from configs import cli
from corpus.cli import verbs
from tests.corpus.read.office import zipped

TEXT = "点検表に結果を記入し、課長の確認を受ける。\n"
INHOUSE = Path(__file__).parents[2] / "../shared/data/inhouse"


def decode(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What the command prints for machines."""
    assert cli.main("tsugiki corpus", verbs, ["decode", *arguments, "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files in several encodings, and one that is none."""
    root = tmp_path / "in"
    root.mkdir()
    for encoding in ("utf-8", "cp932", "euc_jp", "iso2022_jp", "utf-16"):
        (root / f"{encoding}.txt").write_bytes(TEXT.encode(encoding))
    (root / "both.zip").write_bytes(
        zipped({"a.txt": TEXT.encode("cp932"), "b.txt": TEXT.encode("euc_jp"), "c.bin": b"x"})
    )
    (root / "program.txt").write_bytes(b"\x7fELF\x02\x01\x01\x00" + bytes(64))
    return root


def test_every_file_is_told_with_its_encoding(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = decode(capsys, str(folder), "--out", str(tmp_path / "out"))
    assert {Path(one["path"]).name: one["encoding"] for one in told["files"]} == {
        **{"utf-8.txt": "utf-8", "cp932.txt": "cp932", "euc_jp.txt": "euc_jp", "iso2022_jp.txt": "iso2022_jp_1"},
        **{"utf-16.txt": "utf-16", "both.zip": None, "program.txt": None},
    }
    (archive,) = [one for one in told["files"] if one["format"] == "zip"]
    assert (archive["encodings"], archive["documents"]) == ({"cp932": 1, "euc_jp": 1}, 2)
    assert [(one["path"], one["reason"]) for one in archive["put_aside"]] == [("both.zip!/c.bin", "unknown_format")]
    assert (told["documents"], told["put_aside"]) == (7, 2)
    rows = pq.read_table(tmp_path / "out" / "documents").to_pylist()
    assert {row["text"] for row in rows} == {TEXT}


def test_it_is_said_for_people_too_and_without_text(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["decode", str(folder / "cp932.txt"), str(folder / "program.txt"), "--out", str(tmp_path / "out")]
    assert cli.main("tsugiki corpus", verbs, arguments) == 0
    assert capsys.readouterr().out == (
        f"{folder}/cp932.txt: txt: cp932 1\n"
        f"{folder}/program.txt: txt: nothing read\n"
        "  put aside: program.txt at 0: binary (NUL at byte 7)\n"
    )


def test_a_path_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main("tsugiki corpus", verbs, ["decode", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "no such file or folder" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(not INHOUSE.is_dir(), reason="the shared data set is not beside the checkout")
def test_the_real_files_of_a_house_are_read_by_their_encodings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = decode(capsys, str(INHOUSE), "--out", str(tmp_path / "out"), "--workers", "1")
    found = {Path(one["path"]).name: (one["format"], one["encoding"]) for one in told["files"]}
    expected = {
        "tutor.ja.euc": ("txt", "euc_jp"),
        "tutor.ja.sjis": ("txt", "cp932"),
        "tutor.ja.utf-8": ("txt", "utf-8"),
        "imput.jis.gz": ("txt", "iso2022_jp_1"),
        "sylpheed.sgml.gz": ("sgml", "euc_jp"),
        "tutorial.html": ("html", "euc_jp"),
        "maint-guide.ja.pdf": ("pdf", "pdf"),
        "install.ja.pdf.gz": ("pdf", "pdf"),
        "live-manual.ja.docx": ("docx", "utf-8"),
        "live-manual.ja.odt": ("odt", "utf-8"),
        "developers-reference.epub": ("epub", "utf-8"),
        "qanda.gz": (None, None),
    }
    assert {name: found[name] for name in expected} == expected
    rows = pq.read_table(tmp_path / "out" / "documents", columns=["path", "text"]).to_pylist()
    text = {row["path"]: row["text"] for row in rows}
    assert text["tutor.ja.euc"] == text["tutor.ja.sjis"] == text["tutor.ja.utf-8"]
    # Sentences that the width of the paper broke, and what stands on every page.
    assert (
        "すべての Debian でサポートされているアーキテクチャでコンパイルされたことをリリース時に保証します。"
        in text["developers-reference.pdf"]
    )
    assert "Developer’s Reference, リリース 12.18\n" not in text["developers-reference.pdf"][2000:]
