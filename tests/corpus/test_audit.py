"""The audit: the funnel, what was put aside, and the documents that fell out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.audit import dropped_documents, funnel_lines
from corpus.batch import document_id
from corpus.build import build_corpus


@pytest.fixture(scope="module")
def corpus(mixed: Path, run_of: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """The corpus of the mixed sources."""
    return build_corpus(run_of(mixed, tmp_path_factory.mktemp("audit"), "manuals", "mail", "english"))


FUNNEL = """\
        68  documents in
       -13  held_out
        -6  quarantined
        -2  duplicate_exact
        -2  duplicate_near
        -1  only_repeated_lines
        -1  too_short
        43  kept

put aside:
  manuals: binary.txt: binary (NUL at byte 27)
  manuals: empty.txt: empty
  manuals: report.doc: unknown_format (ending 'doc'; set format for this source to read it all the same)
  mail: archive.jsonl.gz at 3031: truncated (gz: ends in the middle of its data)
  mail: mail.jsonl at 4061: not_json (a record of 37 bytes)
  mail: mail.jsonl at 6543: no_text (the field 'text' is missing or no text)
"""


def test_the_funnel_of_the_mixed_sources(corpus: Artifact) -> None:
    assert "".join(f"{line}\n" for line in funnel_lines(corpus)) == FUNNEL


def test_without_a_quarantine_there_is_nothing_put_aside(
    mixed: Path, run_of: Callable[..., Run], tmp_path: Path
) -> None:
    lines = list(funnel_lines(build_corpus(run_of(mixed, tmp_path, "english"))))
    assert lines[0] == "         8  documents in"
    assert lines[-1].endswith("  kept")


def test_dropped_documents_are_shown_from_their_beginning_with_their_survivor(corpus: Artifact) -> None:
    forwarded, mail, copy, manual = dropped_documents(corpus, "duplicate_exact", 5)
    survivor = document_id("manuals", "01.txt", 0)
    assert copy == f"--- {document_id('manuals', 'copy.txt', 0)}  manuals: copy.txt at 0, like {survivor}"
    assert manual.startswith("蓼原精機株式会社 社外秘の文書です\n")
    assert (len(manual), len(mail)) == (400, 277)
    assert forwarded.split("  ")[1].startswith("mail: mail.jsonl at ")


@pytest.mark.parametrize(("count", "shown"), [(0, 0), (1, 1), (2, 2), (100, 2)])
def test_as_many_are_shown_as_asked_for(corpus: Artifact, count: int, shown: int) -> None:
    assert len(list(dropped_documents(corpus, "duplicate_near", count))) == 2 * shown


def test_held_out_documents_can_be_shown(corpus: Artifact) -> None:
    lines = list(dropped_documents(corpus, "held_out", 100))
    assert len(lines) == 2 * corpus.counts["dropped"]["held_out"]
    assert {line.split("  ")[1].split(":")[0] for line in lines[::2]} == {"manuals", "mail", "english"}


def test_what_could_not_be_read_is_shown_as_in_the_funnel(corpus: Artifact) -> None:
    lines = list(dropped_documents(corpus, "quarantined", 3))
    assert lines == FUNNEL.splitlines()[-8:]


def test_a_reason_that_nothing_was_dropped_for_is_told_with_those_there_are(corpus: Artifact) -> None:
    with pytest.raises(UserError) as caught:
        list(dropped_documents(corpus, "too_long", 3))
    assert str(caught.value) == (
        "--reason: nothing was dropped as 'too_long'; there are duplicate_exact, duplicate_near, held_out, "
        "only_repeated_lines, quarantined, too_short"
    )
