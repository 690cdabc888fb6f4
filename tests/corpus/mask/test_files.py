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


def test_a_kind_that_does_not_exist_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("あ")
    assert (
        main("corpus", verbs, ["mask", str(tmp_path / "a.txt"), "--out", str(tmp_path / "out"), "--set", "fone=mask"])
        == 2
    )
    assert "did you mean 'phone'?" in capsys.readouterr().err
