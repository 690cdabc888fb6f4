"""Deduplication without a run file."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from configs import cli
from configs.schema.dedup import Dedup
from corpus.cli import verbs
from corpus.dedup.files import deduplicate_files
from tests.corpus.conftest import prose
from tests.corpus.corpora import bytes_of
from tests.corpus.dedup.truth import planted, true_similarities


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """The command sets logging up; leave it as it was."""
    packages = [logging.getLogger(name) for name in ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki")]
    before = [(one.handlers, one.level, one.propagate) for one in packages]
    yield
    for one, (handlers, level, propagate) in zip(packages, before, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def write(path: Path, records: list[dict[str, object]]) -> str:
    """JSON lines."""
    path.write_text("".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))
    return str(path)


def test_what_goes_is_printed_with_its_survivor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write(tmp_path / "a.jsonl", [{"id": "甲", "text": prose(1)}, {"id": "乙", "text": prose(2)}])
    second = write(
        tmp_path / "b.jsonl",
        [{"id": 7, "text": prose(1)}, {"text": prose(2) + "以上。"}, {"text": prose(3)}, {"id": "丙"}],
    )
    command = ["dedup", first, second, "--out", str(tmp_path / "out"), "--json", "--workers", "1"]
    assert cli.main("tsugiki corpus", verbs, command) == 0
    told = json.loads(capsys.readouterr().out)
    counts = {name: told[name] for name in ("documents", "kept", "duplicate_exact", "duplicate_near", "quarantined")}
    assert counts == {"documents": 5, "kept": 3, "duplicate_exact": 1, "duplicate_near": 1, "quarantined": 1}
    assert [(one["path"], one["reason"]) for one in told["put_aside"]] == [("b.jsonl", "no_text")]
    exact, near = told["removed"]
    assert (exact["id"], exact["reason"], exact["survivor"]) == (7, "duplicate_exact", "甲")
    assert (near["path"], near["reason"], near["survivor"]) == ("b.jsonl", "duplicate_near", "乙")
    assert near["survivor_path"] == "a.jsonl"
    assert len(near["id"]) == 24
    kept = [row for path in sorted((tmp_path / "out/kept").glob("*")) for row in pq.read_table(path).to_pylist()]
    assert [row["text"] for row in kept] == [prose(1), prose(2), prose(3)]
    # Again: it is complete, and says the same.
    before = bytes_of(tmp_path / "out")
    assert cli.main("tsugiki corpus", verbs, command) == 0
    assert json.loads(capsys.readouterr().out) == told
    assert bytes_of(tmp_path / "out") == before


def test_the_output_is_an_existing_corpus_for_the_next(tmp_path: Path) -> None:
    first = write(tmp_path / "a.jsonl", [{"text": prose(1)}, {"text": prose(2)}, {"text": prose(2)}])
    second = write(tmp_path / "b.jsonl", [{"text": prose(2) + "以上。"}, {"text": prose(3)}])
    deduplicate_files([first], tmp_path / "one", Dedup(), 1)
    other = deduplicate_files([second], tmp_path / "two", Dedup(against=(str(tmp_path / "one"),)), 1)
    assert (other.counts["kept"], other.counts["duplicate_near"]) == (1, 1)


@pytest.mark.parametrize(
    ("option", "said"), [(["--threshold", "1.5"], "--threshold: "), (["--memory-gb", "0"], "--memory-gb: ")]
)
def test_a_setting_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str], said: str
) -> None:
    path = write(tmp_path / "a.jsonl", [{"text": prose(1)}])
    assert cli.main("tsugiki corpus", verbs, ["dedup", path, "--out", str(tmp_path / "out"), *option]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_truth_holds_from_file_to_file(tmp_path: Path) -> None:
    texts = planted(7, 300, 300)
    path = write(tmp_path / "a.jsonl", [{"id": row, "text": text} for row, text in enumerate(texts)])
    # So little memory that there are many pieces and buckets.
    corpus = deduplicate_files([path], tmp_path / "out", Dedup(memory_gb=2e-3), 1)
    removed = [json.loads(line) for line in corpus.path("removed.jsonl").read_text().splitlines()]
    stays_N = np.ones(len(texts), np.bool_)
    stays_N[[row["id"] for row in removed]] = False
    similarity_NN = true_similarities(texts)
    one, other = np.nonzero(np.triu(similarity_NN >= 0.8, 1))
    assert (stays_N[one] & stays_N[other]).mean() < 0.005
    assert all(stays_N[row["survivor"]] for row in removed)
    assert np.mean([similarity_NN[row["id"], row["survivor"]] < 0.7 for row in removed]) < 0.005
