"""`tsugiki corpus mask`: files in, masked documents and the places of what was masked out."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from configs.cli import main
from corpus.cli import verbs

SECRET = "090-0000-1234"


def test_spans_are_told_by_row_kind_and_place_and_never_by_their_text(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["なし", f"電話{SECRET}、a@example.com", "担当の佐藤花子さん"]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (tmp_path / "mail.jsonl").write_text(lines)
    arguments = ["mask", str(tmp_path / "mail.jsonl"), "--out", str(tmp_path / "out"), "--set", "name=mask", "--json"]
    assert main("corpus", verbs, arguments) == 0
    printed = capsys.readouterr().out
    told = json.loads(printed)
    assert [(one["row"], one["kind"], one["start"], one["end"]) for one in told["spans"]] == [
        (1, "phone", 2, 15),
        (1, "email", 16, 29),
        (2, "name", 3, 7),
    ]
    assert (told["documents"], told["masked"]) == (3, {"email": 1, "name": 1, "phone": 1})
    assert SECRET not in printed
    [shard] = (tmp_path / "out" / "masked").iterdir()
    assert pq.read_table(shard).column("text").to_pylist() == ["なし", "電話<phone>、<email>", "担当の<name>さん"]


def test_rows_are_numbers_in_the_file_and_what_goes_or_cannot_be_read_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mail").mkdir()
    line = json.dumps({"text": f"電話{SECRET}"}) + "\n"
    (tmp_path / "mail" / "a.jsonl").write_text("{broken\n" + line)
    (tmp_path / "mail" / "b.jsonl").write_text('{"text": "なし"}\n' + line)
    arguments = ["mask", str(tmp_path / "mail"), "--out", str(tmp_path / "out"), "--set", "phone=drop"]
    assert main("corpus", verbs, arguments) == 0
    assert capsys.readouterr().out.splitlines() == [
        "           3  documents",
        "           2  phone",
        "          -2  holds_phone",
        "",
        "put aside:",
        "  a.jsonl: not_json (a record of 7 bytes)",
    ]
    assert main("corpus", verbs, [*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["path"], one["position"], one["row"]) for one in told["spans"]] == [
        ("a.jsonl", 8, 0),
        ("b.jsonl", len('{"text": "なし"}\n'.encode()), 1),
    ]
    assert told["dropped"] == {"holds_phone": 2}
    assert [one["reason"] for one in told["put_aside"]] == ["not_json"]


def test_a_kind_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("あ")
    assert (
        main("corpus", verbs, ["mask", str(tmp_path / "a.txt"), "--out", str(tmp_path / "out"), "--set", "fone=mask"])
        == 2
    )
    assert "did you mean 'phone'?" in capsys.readouterr().err
