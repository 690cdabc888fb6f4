"""The corpus stage from end to end, on small sources in every format."""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.journal import JOURNAL
from configs.schema.corpus import HeldOut
from corpus.audit import funnel_lines
from corpus.batch import document_id
from corpus.build import build_corpus
from corpus.kernels.shingles import jaccard, shingles_of
from corpus.split import held_out_bound, held_out_place
from tests.corpus.conftest import SECRET
from tests.corpus.corpora import PARTS, SOURCES, RunOf, rows_of


def test_the_counts_add_up(built: Artifact) -> None:
    counts = built.counts
    kept, held_out, dropped = (rows_of(built, part) for part in PARTS)
    assert counts["documents_in"] == len(kept) + sum(counts["dropped"].values())
    assert counts["dropped"]["held_out"] == len(held_out)
    assert counts["dropped"]["quarantined"] == sum(counts["quarantined"].values()) == 6
    of_reason = Counter(row["reason"] for row in dropped)
    assert of_reason == {
        reason: count for reason, count in counts["dropped"].items() if reason not in ("held_out", "quarantined")
    }
    for part, rows in (("kept", kept), ("held_out", held_out)):
        for source in SOURCES:
            texts = [row["text"] for row in rows if row["source"] == source]
            assert counts[part][source] == {
                "documents": len(texts),
                "characters": sum(map(len, texts)),
                "bytes": sum(len(text.encode()) for text in texts),
            }
    assert json.loads(built.path("audit.json").read_text()) == counts


def test_every_document_is_in_one_place_under_one_id(built: Artifact) -> None:
    rows = rows_of(built, *PARTS)
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({(row["source"], row["path"], row["position"]) for row in rows}) == len(rows)
    measured = [one for path in built.below("measures") for one in pq.read_table(path, columns=["id"]).to_pylist()]
    signed = [one for path in built.below("signatures") for one in pq.read_table(path, columns=["id"]).to_pylist()]
    assert {one["id"] for one in measured} == {one["id"] for one in signed} == {row["id"] for row in rows}
    assert len(measured) == len(signed) == len(rows)


@pytest.mark.parametrize(
    ("path", "reason", "survivor"),
    [
        pytest.param("short.txt", "too_short", None, id="too short"),
        pytest.param("copy.txt", "duplicate_exact", "01.txt", id="exact copy"),
        pytest.param("revised.txt", "duplicate_near", "00.txt", id="revised"),
        pytest.param("form.txt", "only_repeated_lines", None, id="nothing but letterhead and footer"),
        pytest.param("mail.jsonl", "duplicate_exact", "mail.jsonl", id="forwarded"),
        pytest.param("mail.jsonl", "duplicate_near", "page.html", id="copy in a later source"),
    ],
)
def test_what_should_go_goes_and_names_its_survivor(
    built: Artifact, path: str, reason: str, survivor: str | None
) -> None:
    (row,) = [row for row in rows_of(built, "dropped") if row["path"] == path and row["reason"] == reason]
    path_of = {one["id"]: one["path"] for one in rows_of(built, "kept", "held_out")}
    assert path_of.get(row["survivor"]) == survivor


def test_a_survivor_is_kept_and_similar(built: Artifact) -> None:
    stays = {row["id"]: row for row in rows_of(built, "kept", "held_out")}
    near = [row for row in rows_of(built, "dropped") if row["reason"].startswith("duplicate")]
    assert len(near) >= 4
    for row in near:
        # Repeated lines are removed from what stays only, so what stays is a little shorter here.
        assert jaccard(shingles_of(stays[row["survivor"]]["text"]), shingles_of(row["text"])) > 0.5


def test_every_encoding_gives_the_same_kind_of_text(built: Artifact) -> None:
    rows = [row for row in rows_of(built, "kept", "held_out") if row["source"] == "manuals"]
    assert {row["encoding"] for row in rows} == {"utf-8", "cp932", "euc_jp", "iso2022_jp_1"}
    assert all(SECRET in row["text"] for row in rows)


def test_repeated_lines_are_counted_after_deduplication_and_gone_from_what_stays(built: Artifact) -> None:
    texts = [row["text"] for row in rows_of(built, "kept", "held_out") if row["source"] == "manuals"]
    assert not [text for text in texts if "社外秘" in text or "総務課" in text]
    # Twelve manuals have two such lines each, the form has them too; copies and revisions are not counted.
    assert (built.counts["documents_with_lines_removed"], built.counts["lines_removed"]) == (13, 26)


@pytest.mark.parametrize(
    ("documents", "stays"),
    [pytest.param(4, True, id="in four documents and four copies"), pytest.param(5, False, id="in five documents")],
)
def test_copies_do_not_make_a_letterhead(run_of: RunOf, tmp_path: Path, documents: int, stays: bool) -> None:
    (tmp_path / "manuals").mkdir()
    line = "この行は四つの手順書にしか書かれていない。"
    for number in range(documents):
        (tmp_path / "manuals" / f"{number}.txt").write_text(f"{line}\n{chr(0x3041 + 7 * number) * 40}。{number}")
    for copy in range(4):
        (tmp_path / "manuals" / f"copy{copy}.txt").write_bytes((tmp_path / "manuals" / "0.txt").read_bytes())
    corpus = build_corpus(run_of(tmp_path, tmp_path / "run", "manuals"))
    assert corpus.counts["dropped"]["duplicate_exact"] == 4
    assert {line in row["text"] for row in rows_of(corpus, "kept", "held_out")} == {stays}


def test_personal_data_is_masked_everywhere(built: Artifact) -> None:
    rows = rows_of(built, *PARTS)
    told = json.dumps(rows, ensure_ascii=False)
    assert "@example.com" not in told
    assert "03-0000-" not in told
    assert sum("<phone>" in row["text"] for row in rows) == 14
    assert all("<email>" in row["meta"] for row in rows if row["meta"] and "件" in row["meta"])
    assert built.counts["masked"] == {"email": 14 + 26, "phone": 14}


def test_the_held_out_documents_are_of_every_source_and_no_copies_of_what_is_trained_on(built: Artifact) -> None:
    held_out, kept = rows_of(built, "held_out"), rows_of(built, "kept")
    assert {row["source"] for row in held_out} == set(SOURCES)
    for row in held_out:
        for other in kept:
            assert jaccard(shingles_of(row["text"]), shingles_of(other["text"])) < 0.8


def test_what_was_put_aside_is_named_in_the_audit(built: Artifact) -> None:
    lines = list(funnel_lines(built))
    aside = lines[lines.index("put aside:") + 1 :]
    assert [line.split(": ")[0:2] for line in aside] == [
        ["  manuals", "binary.txt"],
        ["  manuals", "empty.txt"],
        ["  manuals", "report.doc"],
        ["  mail", f"archive.jsonl.gz at {aside[3].split(' at ')[1].split(':')[0]}"],
        ["  mail", f"mail.jsonl at {aside[4].split(' at ')[1].split(':')[0]}"],
        ["  mail", f"mail.jsonl at {aside[5].split(' at ')[1].split(':')[0]}"],
    ]
    assert [one.split(": ")[2].split(" ")[0] for one in aside] == [
        *("binary", "empty", "unknown_format", "truncated", "not_json", "no_text")
    ]


def test_document_text_is_in_no_log_and_no_quarantine(
    mixed: Path, run_of: RunOf, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        corpus = build_corpus(run_of(mixed, tmp_path, *SOURCES))
    kept = sum(source["documents"] for source in corpus.counts["kept"].values())
    assert f"{corpus.counts['documents_in']} documents in, {kept} kept; {corpus.dir}" in caplog.text
    told = [caplog.text, *capfd.readouterr(), *funnel_lines(corpus)]
    told += [corpus.path(name).read_text() for name in ("quarantine.jsonl", "audit.json", "manifest.json", JOURNAL)]
    told += [path.read_text() for path in corpus.below("inputs")]
    for word in (SECRET, "第一工場", "号機", "pump"):
        assert word not in "\n".join(told)


def test_what_an_earlier_source_has_goes_from_a_later_one(mixed: Path, run_of: RunOf, tmp_path: Path) -> None:
    fates = []
    for order in (("manuals", "mail"), ("mail", "manuals")):
        corpus = build_corpus(run_of(mixed, tmp_path / order[0], *order))
        (page,) = [row for row in rows_of(corpus, *PARTS) if row["path"] == "page.html"]
        fates.append(page.get("reason"))
    assert fates == [None, "duplicate_near"]


def test_the_smallest_id_of_a_cluster_decides_whether_it_is_held_out(run_of: RunOf, tmp_path: Path) -> None:
    (tmp_path / "manuals").mkdir()
    for number in range(30):
        for copy in range(2):
            (tmp_path / "manuals" / f"{number}-{copy}.txt").write_text(f"{chr(0x3041 + 2 * number) * 40}。{number}")
    run = run_of(tmp_path, tmp_path / "run", "manuals", overrides=("corpus.held_out.share=0.5",))
    held_out = {row["path"] for row in rows_of(build_corpus(run), "held_out")}
    ids = [min(document_id("manuals", f"{number}-{copy}.txt", 0) for copy in range(2)) for number in range(30)]
    bound = held_out_bound((held_out_place(5, one) for one in ids), HeldOut(share=0.5))
    assert held_out == {f"{number}-0.txt" for number, one in enumerate(ids) if held_out_place(5, one) < bound}
    assert 0 < len(held_out) < 30


def test_other_sources_do_not_change_what_is_held_out(
    built: Artifact, mixed: Path, run_of: RunOf, tmp_path: Path
) -> None:
    alone = build_corpus(run_of(mixed, tmp_path, "english"))
    ids = [row["id"] for row in rows_of(built, "held_out") if row["source"] == "english"]
    assert [row["id"] for row in rows_of(alone, "held_out")] == ids


def test_file_names_in_an_old_encoding_and_odd_directories_do_no_harm(run_of: RunOf, tmp_path: Path) -> None:
    (tmp_path / "manuals").mkdir()
    for number, name in enumerate(("議事録".encode("cp932"), "報告\u2028書".encode(), b"a=b")):
        with open(os.fsencode(tmp_path / "manuals") + b"/" + name + b".txt", "w") as out:
            out.write(
                f"{number}番目の記録である。" + "".join(map(chr, range(0x3041 + 20 * number, 0x3069 + 20 * number)))
            )
    with open(os.fsencode(tmp_path / "manuals") + b"/" + "空".encode("cp932") + b".txt", "w"):
        pass
    run = run_of(tmp_path, tmp_path / "lr=1" / "実験", "manuals")
    corpus = build_corpus(run)
    paths = sorted(row["path"] for row in rows_of(corpus, *PARTS))
    assert paths == ["\\x8bc\\x8e\\x96\\x98^.txt", "a=b.txt", "報告\u2028書.txt"]
    assert list(funnel_lines(corpus))[-1] == "  manuals: \\x8b\\xf3.txt: empty"
    for path in (tmp_path / "manuals").iterdir():
        os.utime(path, ns=(1, 1))
    assert build_corpus(run) == corpus


def test_nothing_but_unreadable_files_is_an_empty_corpus(run_of: RunOf, tmp_path: Path) -> None:
    (tmp_path / "manuals").mkdir()
    (tmp_path / "manuals" / "empty.txt").write_text("")
    corpus = build_corpus(run_of(tmp_path, tmp_path / "run", "manuals"))
    assert (corpus.counts["documents_in"], corpus.counts["kept"]) == (1, {})
    assert corpus.counts["dropped"] == {"quarantined": 1}


def test_a_source_or_a_preset_that_does_not_exist_is_told_before_anything_is_written(
    mixed: Path, run_of: RunOf, tmp_path: Path
) -> None:
    for overrides, complaint in (
        (("corpus.sources.mail.path=none",), "corpus.sources.mail.path: no such file or folder: 'none'"),
        (("corpus.preset=none",), "corpus.preset: no preset 'none'; known: "),
    ):
        with pytest.raises(UserError) as caught:
            build_corpus(run_of(mixed, tmp_path / "run", "mail", overrides=overrides))
        assert str(caught.value).startswith(complaint)
    assert not (tmp_path / "run").exists()
