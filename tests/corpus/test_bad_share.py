"""Too much that cannot be read stops the run, and says what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.errors import UserError
from corpus.bad_share import ENOUGH, NOT_BAD, refuse_bad_sources, refuse_bad_task
from corpus.build import build_corpus
from corpus.tally import Tally, Unreadable
from tests.corpus.conftest import prose
from tests.corpus.corpora import RunOf


def tally_of(read: int, *reasons: str) -> Tally:
    """What reading gave."""
    tally = Tally()
    tally.add("documents_read", read)
    for position, reason in enumerate(reasons):
        tally.put_aside(Unreadable("mail", "a.jsonl", position, reason, "8 bytes"))
    return tally


def test_exactly_the_share_goes_on_and_one_more_stops() -> None:
    refuse_bad_sources({"mail": tally_of(8, "not_json", "no_text")}, 0.2)
    with pytest.raises(UserError) as caught:
        refuse_bad_sources({"mail": tally_of(7, "not_json", "no_text", "not_json")}, 0.2)
    assert str(caught.value) == (
        "corpus.sources.mail: 3 of 10 records cannot be read (not_json 2, no_text 1), and corpus.limits.max_bad_share "
        "is 0.2; the first: a.jsonl at 0: not_json (8 bytes); a.jsonl at 1: no_text (8 bytes); a.jsonl at 2: not_json "
        "(8 bytes); mend the source or its keys, or raise the limit and run again, what was read is kept"
    )


def test_what_is_not_broken_does_not_count_and_nothing_is_no_share() -> None:
    refuse_bad_sources({"mail": tally_of(1, *sorted(NOT_BAD) * 9), "empty": tally_of(0)}, 0.0)
    with pytest.raises(UserError):
        refuse_bad_sources({"mail": tally_of(1, "damaged")}, 0.0)
    refuse_bad_sources({"mail": tally_of(0, "damaged")}, 1.0)


@pytest.mark.parametrize(("read", "stops"), [(ENOUGH, False), (ENOUGH - 1, True)])
def test_a_task_of_bad_records_stops_before_the_others_are_read(read: int, stops: bool) -> None:
    tally = tally_of(read)
    tally.quarantine = [Unreadable("mail", "a", 0, "not_json")] * (ENOUGH - 1)
    refuse_bad_task("mail", tally, 0.2)
    tally.quarantine.append(Unreadable("mail", "a", 0, "not_json"))
    if stops:
        with pytest.raises(UserError, match="100000 of 199999 records cannot be read"):
            refuse_bad_task("mail", tally, 0.2)
    else:
        refuse_bad_task("mail", tally, 0.2)


def test_a_run_that_stopped_goes_on_with_a_higher_limit_and_the_manifest_has_what_sources_declare(
    tmp_path: Path, run_of: RunOf
) -> None:
    (tmp_path / "mail").mkdir()
    records = [json.dumps({"text": prose(n)}, ensure_ascii=False) for n in range(6)]
    (tmp_path / "mail" / "a.jsonl").write_text("\n".join([*records, "broken", "{}"]))
    declared = ("corpus.sources.mail.access=internal", "corpus.sources.mail.retention=until 2030-03-31")
    with pytest.raises(UserError, match="2 of 8 records cannot be read"):
        build_corpus(run_of(tmp_path, tmp_path / "run", "mail", overrides=declared))
    higher = (*declared, "corpus.limits.max_bad_share=0.25")
    corpus = build_corpus(run_of(tmp_path, tmp_path / "run", "mail", overrides=higher))
    assert corpus.counts["documents_in"] == 8
    assert corpus.counts["sources"] == {
        "mail": {"license": "", "language": "ja", "access": "internal", "retention": "until 2030-03-31"}
    }
