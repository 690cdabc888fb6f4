"""Files are measured and judged without a run file, and no text is written."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from configs import cli
from configs.artifact import Artifact
from configs.errors import UserError
from corpus.cli import verbs
from corpus.measures.files import measure_files

PROSE = "定量ポンプの点検では、最初に電源を切る。次に弁を閉じる。それから、圧力計を見て、圧力が下がったことを確かめる。"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Prose, a short text, and what is no text."""
    root = tmp_path / "in"
    root.mkdir()
    (root / "a.txt").write_text(PROSE)
    (root / "b.txt").write_text("短い。")
    (root / "c.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in (PROSE, "x")))
    (root / "d.txt").write_bytes(bytes(range(32)) * 4)
    return root


def test_measures_and_reasons_are_written_and_no_text(folder: Path, tmp_path: Path) -> None:
    measured = measure_files([str(folder)], tmp_path / "out", "inhouse", 1, text_key="body")
    assert measured.counts["documents"] == 4
    assert (measured.counts["passing"], measured.counts["dropped"]) == (2, {"too_short": 2})
    assert measured.counts["quarantined"] == 1
    (path,) = measured.below("measures")
    rows = pq.read_table(path).to_pylist()
    assert [(row["path"], row["characters"], row["reason"]) for row in rows] == [
        ("a.txt", 55, None),
        ("b.txt", 3, "too_short"),
        ("c.jsonl", 55, None),
        ("c.jsonl", 1, "too_short"),
    ]
    assert PROSE[:9].encode() not in path.read_bytes()
    assert measure_files([str(folder)], tmp_path / "out", "inhouse", 1, text_key="body") == measured


def test_another_preset_in_the_same_directory_is_refused(folder: Path, tmp_path: Path) -> None:
    measure_files([str(folder / "a.txt")], tmp_path / "out", "inhouse", 1)
    with pytest.raises(UserError):
        measure_files([str(folder / "a.txt")], tmp_path / "out", "hojichar", 1)


def test_the_command(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    files = [str(folder / name) for name in ("a.txt", "b.txt", "d.txt")]
    command = ["measure", *files, "--out", str(out), "--preset", "swallow-v1"]
    assert cli.main("tsugiki corpus", verbs, command) == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split() for line in told[:2]] == [["2", "documents"], ["-2", "too_short"]]
    assert told[2].endswith("0  pass the rules of swallow-v1")
    assert told[3:] == ["", "put aside:", "  d.txt: binary (NUL at byte 0)"]
    columns = pq.ParquetFile(Artifact.open(out).below("measures")[0]).schema_arrow.names
    assert {"repeated_10gram_share", "longest_sentence"} < set(columns)
    assert cli.main("tsugiki corpus", verbs, [*command, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["dropped"] == {"too_short": 2}
    assert [(one["path"], one["position"], one["reason"]) for one in printed["put_aside"]] == [("d.txt", 0, "binary")]
