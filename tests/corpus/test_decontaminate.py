"""Decontamination: against evaluation sets and the held-out split."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from configs.errors import UserError
from configs.schema.decontaminate import Decontaminate, EvaluationSet
from corpus.build import build_corpus
from corpus.decontaminate import Overlap, evaluation_items
from corpus.stage import evaluation_files
from tests.corpus.conftest import prose
from tests.corpus.corpora import RunOf, rows_of

QUESTIONS = [
    {"id": 1, "question": "田んぼが広がる風景を何という？", "answers": ["田園"], "label": "entailment"},
    {"id": 2, "question": "東海地方に含まれる県はどこ？", "answers": ["愛知県"]},
    {"id": 3, "question": "お金を？"},
]


def write(path: Path) -> str:
    """The questions in the format of the name."""
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in QUESTIONS).encode()
    packed = {".zst": zstandard.compress(lines), ".gz": gzip.compress(lines)}
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(QUESTIONS), path)
    else:
        path.write_bytes(packed.get(path.suffix, lines))
    return str(path)


@pytest.mark.parametrize("name", ["q.jsonl", "q.jsonl.gz", "q.jsonl.zst", "q.parquet"])
def test_sets_are_read_in_every_format_and_answers_are_not_items(tmp_path: Path, name: str) -> None:
    settings = Decontaminate(sets={"qa": EvaluationSet(path=write(tmp_path / name))})
    items = evaluation_items(settings, evaluation_files(settings))
    assert items == {"qa": [one["question"] for one in QUESTIONS]}
    # One of them is too short to be looked for.
    assert Overlap.of(items, [], settings).looked_for == {"qa": 2}


def test_a_set_without_the_fields_and_a_broken_one_are_told(tmp_path: Path) -> None:
    settings = Decontaminate(sets={"qa": EvaluationSet(path=write(tmp_path / "q.jsonl"), fields=("body",))})
    with pytest.raises(UserError, match=r"sets\.qa\.fields: no record has text in one of body; the fields are"):
        evaluation_items(settings, evaluation_files(settings))
    (tmp_path / "q.jsonl").write_text("[1, 2]\n")
    with pytest.raises(UserError, match=r"q\.jsonl:1: expected a JSON object on every line"):
        evaluation_items(settings, evaluation_files(settings))
    (tmp_path / "q.jsonl").write_text("{")
    with pytest.raises(UserError, match="not JSON lines"):
        evaluation_items(settings, evaluation_files(settings))


def test_documents_with_a_question_go_and_name_the_set(run_of: RunOf, tmp_path: Path) -> None:
    (tmp_path / "manuals").mkdir()
    texts = {
        "clean": prose(1),
        "first": f"{prose(2)}\n田んぼが広がる 風景を、何と言う?",
        "short": f"{prose(3)}\nお金を？",
    }
    for name, text in texts.items():
        (tmp_path / "manuals" / f"{name}.txt").write_text(text)
    sets = (f"corpus.decontaminate.sets={{qa: {{path: {write(tmp_path / 'q.jsonl')}}}}}", "corpus.held_out.share=0")
    corpus = build_corpus(run_of(tmp_path, tmp_path / "run", "manuals", overrides=sets))
    assert corpus.counts["dropped"] == {"contaminated.qa": 1}
    assert [(row["path"], row["reason"]) for row in rows_of(corpus, "dropped")] == [("first.txt", "contaminated.qa")]
    assert [row["path"] for row in rows_of(corpus, "kept")] == ["clean.txt", "short.txt"]


@pytest.mark.parametrize("looked_for", [True, False])
def test_what_contains_a_held_out_document_is_not_trained_on(run_of: RunOf, tmp_path: Path, looked_for: bool) -> None:
    (tmp_path / "manuals").mkdir()
    for number in range(8):
        (tmp_path / "manuals" / f"{number}.txt").write_text(prose(number, 8))
        rest = "\n".join(prose(100 + 10 * number + more, 8) for more in range(3))
        (tmp_path / "manuals" / f"{number}-within.txt").write_text(f"{rest}\n{prose(number, 8)}")
    settings = ("corpus.held_out.share=0.3", f"corpus.decontaminate.held_out={str(looked_for).lower()}")
    overrides = (*settings, "corpus.dedup.lines=null")
    corpus = build_corpus(run_of(tmp_path, tmp_path / "run", "manuals", overrides=overrides))
    held_out = {row["path"] for row in rows_of(corpus, "held_out")}
    gone = {row["path"] for row in rows_of(corpus, "dropped") if row["reason"] == "contaminated.held_out"}
    within = {f"{Path(path).stem}-within.txt" for path in held_out if "within" not in path} - held_out
    assert within
    assert (within <= gone) if looked_for else not gone
