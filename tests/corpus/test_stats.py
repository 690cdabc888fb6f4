"""What a corpus consists of, and its data card."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from configs.artifact import Artifact
from corpus.build import build_corpus
from corpus.stats import LENGTHS, count_documents, read_stats, stats_lines, stats_of
from corpus.tally import Tally
from tests.corpus.conftest import prose
from tests.corpus.corpora import RunOf, rows_of

COLUMNS = ("source", "license", "language", "text", "reason")


def counted(*rows: tuple[str, str | None, str, str, str | None]) -> dict[str, dict[str, dict[str, object]]]:
    """Statistics of documents."""
    tally = Tally()
    columns = [list(column) for column in zip(*rows, strict=True)]
    kinds = [pa.large_string() if name == "text" else pa.string() for name in COLUMNS]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, kinds, strict=True)]
    count_documents(pa.RecordBatch.from_arrays(arrays, names=list(COLUMNS)), tally)
    return stats_of(tally)


def test_documents_are_counted_by_source_and_licence() -> None:
    stats = counted(
        ("mail.2019", "MIT", "ja", "ポンプを動かす", None),
        ("mail.2019", None, "ja", "弁", None),
        ("mail.2019", "MIT", "en", "pump", None),
        ("mail.2019", "MIT", "ja", "ポンプを動かす", "duplicate_exact"),
        ("mail.2019", "MIT", "ja", "ポンプを動かした", "duplicate_near"),
        ("mail.2019", "MIT", "ja", "短い", "too.short"),
    )
    one = stats["mail.2019"]["MIT"]
    assert {name: one[name] for name in ("documents", "characters", "bytes")} == {
        "documents": 2,
        "characters": 11,
        "bytes": 25,
    }
    assert one["languages"] == {"en": 0.5, "ja": 0.5}
    assert one["dropped"] == {"duplicate_exact": 1, "duplicate_near": 1, "too.short": 1}
    assert one["duplicates"] == 2
    assert one["estimated_tokens"] == round(0.83 * 7 + 0.26 * 4)
    scripts = one["scripts"]
    assert isinstance(scripts, dict)
    assert [scripts[name] for name in ("katakana", "hiragana", "kanji", "latin")] == [0.2727, 0.2727, 0.0909, 0.3636]
    assert stats["mail.2019"][""]["documents"] == 1


@pytest.mark.parametrize("bound", LENGTHS)
def test_a_document_on_a_bound_is_of_the_longer_ones(bound: int) -> None:
    below = counted(("a", "", "ja", "あ" * (bound - 1), None))["a"][""]["lengths"]
    on = counted(("a", "", "ja", "あ" * bound, None))["a"][""]["lengths"]
    assert isinstance(below, dict)
    assert isinstance(on, dict)
    assert list(below.values()).index(1) + 1 == list(on.values()).index(1)


def test_the_statistics_of_a_corpus_are_those_of_its_documents(built: Artifact, mixed: Path, run_of: RunOf) -> None:
    stats = json.loads(built.path("stats.json").read_bytes())
    for source, of_license in stats.items():
        rows = [row for row in rows_of(built, "kept") if row["source"] == source]
        assert sum(one["documents"] for one in of_license.values()) == len(rows)
        assert sum(one["characters"] for one in of_license.values()) == sum(len(row["text"]) for row in rows)
        assert sum(one["lengths"][name] for one in of_license.values() for name in one["lengths"]) == len(rows)
    gone = sum(one["duplicates"] for of_license in stats.values() for one in of_license.values())
    assert gone == built.counts["dropped"]["duplicate_exact"] + built.counts["dropped"]["duplicate_near"]


def test_the_card_has_licence_and_origin_and_what_was_dropped(run_of: RunOf, tmp_path: Path) -> None:
    (tmp_path / "manuals").mkdir()
    for name, text in {"a": prose(1), "b": prose(2), "c": prose(2), "d": "短い。"}.items():
        (tmp_path / "manuals" / f"{name}.txt").write_text(text)
    declared = ("corpus.sources.manuals.license=CC-BY-4.0", "corpus.sources.manuals.retention=until 2030-03-31")
    others = ("corpus.held_out.share=0", "corpus.mask.passport=drop", "corpus.rules.too_short.min=41")
    own = (*declared, *others, "corpus.word_lists.shady.path=mild")
    run = run_of(tmp_path, tmp_path / "run", "manuals", overrides=own)
    corpus = build_corpus(run)
    card = corpus.path("README.md").read_text()
    assert card.startswith("# Corpus of the run test\n\n4 documents in, 2 kept to train on, 0 held out")
    assert f"| manuals | {tmp_path / 'manuals'} | CC-BY-4.0 | ja | - | until 2030-03-31 | 2 | " in card
    assert "by the preset `inhouse`, with other bounds for too_short and lists of one's own: shady.\n" in card
    assert "- Personal data: masked: email 0, phone 0, my_number 0, " in card
    assert "; masked, and their documents dropped: passport 0; left as they were: name.\n" in card
    assert "- 1 duplicate_exact\n- 1 too_short\n" in card
    assert "README.md" in corpus.files
    stats = read_stats(corpus, run)
    assert stats["mixture"]["all"]["manuals"]["share"] == 1
    assert stats["mixture"]["all"]["manuals"]["tokens"] == 1
    lines = list(stats_lines(stats))
    assert lines[0] == "manuals  (CC-BY-4.0)"
    assert "  dropped    duplicate_exact: 1, too_short: 1" in lines
    lengths = {"<100": 1, "100-299": 0, "300-999": 20, "1000-2999": 3, "10000-29999": 2}
    one = dict.fromkeys(("3000-9999", "30000-99999", ">=100000"), 0) | dict(sorted(lengths.items()))
    told = {"sources": {"web": {"": _nothing_kept() | {"lengths": one}}}, "mixture": {}}
    assert list(stats_lines(told))[2:5] == [
        "  languages  none",
        "  scripts    none",
        "  lengths    <100: 1, 300-999: 20, 1000-2999: 3, 10000-29999: 2",
    ]


def _nothing_kept() -> dict[str, object]:
    counts = dict.fromkeys(("documents", "characters", "bytes", "estimated_tokens"), 0)
    return {**counts, "languages": {}, "scripts": {}, "dropped": {}}
