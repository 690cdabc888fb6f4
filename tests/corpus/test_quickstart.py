"""The shipped sample has the fates that its README says it was written for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from configs.artifact import Artifact
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus

REPOSITORY = Path(__file__).parents[2]
README = REPOSITORY / "configs" / "quickstart" / "README.md"

Row = dict[str, Any]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The corpus of `make quickstart`."""
    directory = tmp_path_factory.mktemp("quickstart")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(REPOSITORY)
        return build_corpus(load(Path("configs/quickstart.yaml"), Run, [f"run.dir={directory}"]))


def rows_of(corpus: Artifact, *parts: str) -> Iterator[Row]:
    """The documents of some parts."""
    for part in parts:
        for path in corpus.below(part):
            yield from pq.read_table(path).to_pylist()


def folder_of(row: Row) -> str:
    """As the README names it."""
    return "english/" if row["source"] == "english" else f"inhouse/{row['path'].split('/')[0]}/"


def test_of_every_folder_the_documents_stay_that_the_readme_counts(sample: Artifact) -> None:
    table = re.findall(r"^\| `([a-z/]+)` \| [^|]+ \| (\d+) \|", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(table) == 8
    # What stands before the break of the truncated archive is read on top.
    stay = Counter(folder_of(row) for row in rows_of(sample, "kept", "held_out") if "archive-2019" not in row["path"])
    assert stay == {folder: int(documents) for folder, documents in table}


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("manuals/assembly-tp200-pump-head.txt", "duplicate_near"),
        ("manuals/packing-and-labelling.txt", "duplicate_near"),
        ("minutes/2024-04-quality-meeting.txt", "duplicate_near"),
        ("notices/improvement-awards.txt", "duplicate_exact"),
        ("mail/mail.jsonl", "duplicate_near"),
        ("manuals/old-portal-rust-prevention.txt", "broken_characters"),
        ("manuals/old-portal-tool-loan.txt", "mojibake"),
        ("minutes/2024-12-memo.txt", "too_short"),
        ("notices/display-test.txt", "too_short"),
        ("manuals/parts-list-tp200.txt", "too_little_japanese"),
        ("products/index.html", "too_short"),
    ],
)
def test_the_dirt_goes_for_its_reason(sample: Artifact, path: str, reason: str) -> None:
    assert [row["reason"] for row in rows_of(sample, "dropped") if row["path"] == path] == [reason]


def test_nothing_but_the_dirt_goes(sample: Artifact) -> None:
    assert len(list(rows_of(sample, "dropped"))) == 11
    assert sample.counts["quarantined"] == {"binary": 1, "empty": 1, "truncated": 1}


def test_the_quarantine_names_the_three_unreadable_files(sample: Artifact) -> None:
    told = sample.path("quarantine.jsonl").read_text()
    for name in ("manuals/scan-0031.txt", "minutes/2024-12-quality-meeting-draft.txt", "mail/archive-2019.jsonl.gz"):
        assert f'"{name}"' in told


@pytest.mark.parametrize(
    ("folder", "encodings"),
    [
        ("minutes", {"cp932"}),
        ("incidents", {"euc_jp"}),
        ("notices", {"iso2022_jp_1"}),
        ("faq", {"utf-8", "shift_jis"}),
        ("manuals", {"utf-8"}),
    ],
)
def test_every_folder_is_read_by_its_encoding(sample: Artifact, folder: str, encodings: set[str]) -> None:
    rows = [row for row in rows_of(sample, "kept", "held_out") if row["path"].startswith(f"{folder}/")]
    assert {row["encoding"] for row in rows} == encodings
    if folder == "faq":
        assert sum(row["encoding"] == "shift_jis" for row in rows) == 2


def test_no_personal_data_is_left_and_look_alikes_stay(sample: Artifact) -> None:
    rows = list(rows_of(sample, "kept", "held_out", "dropped"))
    text = "\n".join(row["text"] for row in rows if row.get("reason") not in ("broken_characters", "mojibake"))
    # The blocks that the README says the invented numbers are from, and its domains.
    assert not re.findall(r"0\d{1,3}\D{0,2}0{3,4}\D?\d|@|＠", text)
    assert sample.counts["masked"] == {"email": 22, "phone": 36}
    for word in ("TP-200", "CU-7", "2024年"):
        assert word in text


def test_old_notations_and_invisible_characters_are_normal(sample: Artifact) -> None:
    text = "\n".join(row["text"] for row in rows_of(sample, "kept", "held_out"))
    assert not re.findall("[ｦ-ﾟ０-９Ａ-Ｚａ-ｚ\u200b-\u200f\ufeff\r]", text)
    punctuated = [
        row["text"] for row in rows_of(sample, "kept", "held_out") if row["path"].endswith("2003-02-cost-meeting.txt")
    ]
    assert punctuated
    assert not re.findall("[，．]", punctuated[0])
    assert sample.counts["normalised"]["unwrap"] == 4


def test_no_letterhead_is_left(sample: Artifact) -> None:
    rows = [row for row in rows_of(sample, "kept", "held_out") if row["source"] == "inhouse"]
    lines = Counter(line.strip() for row in rows for line in set(row["text"].split("\n")))
    assert [line for line, count in lines.items() if count >= 5 and len(line) >= 8] == []
