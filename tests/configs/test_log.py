"""Log lines: time, who, what; the rank where it is not the first, and other libraries left alone."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

import pytest

from configs import log

PACKAGES = ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki")


@pytest.fixture(autouse=True)
def loggers_as_they_were() -> Iterator[None]:
    """What set_up changes is changed back."""
    packages = [logging.getLogger(name) for name in PACKAGES]
    before = [(one.handlers, one.level, one.propagate) for one in packages]
    yield
    for one, (handlers, level, propagate) in zip(packages, before, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


def line(capsys: pytest.CaptureFixture[str]) -> str:
    """What was logged, without the time."""
    text = capsys.readouterr().err
    assert re.match(r"\d\d:\d\d:\d\d ", text)
    return text[9:]


def test_a_line_has_time_name_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    logging.getLogger("corpus.dedup").info("shard %04d/%d", 41, 1200)
    assert line(capsys) == "corpus.dedup  shard 0041/1200\n"


@pytest.mark.parametrize(("rank", "shown"), [("0", "pretrain"), ("3", "pretrain[3]")])
def test_the_rank_is_shown_where_it_is_not_0(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rank: str, shown: str
) -> None:
    monkeypatch.setenv("RANK", rank)
    log.set_up()
    logging.getLogger("pretrain").warning("slow")
    assert line(capsys) == f"{shown}  warning: slow\n"


def test_a_bug_keeps_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    try:
        assert 1 / 0
    except ZeroDivisionError:
        logging.getLogger("corpus").exception("broken")
    text = line(capsys)
    assert text.startswith("corpus  error: broken\nTraceback (most recent call last):\n")
    assert text.endswith("ZeroDivisionError: division by zero\n")


def test_setting_up_twice_logs_once_and_details_stay_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    log.set_up()
    logging.getLogger("corpus").debug("detail")
    logging.getLogger("corpus").info("once")
    assert line(capsys) == "corpus  once\n"


def test_a_line_is_not_passed_on_to_the_root(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("corpus").warning("before")
    log.set_up()
    logging.getLogger("corpus").warning("after")
    assert [record.getMessage() for record in caplog.records] == ["before"]


def test_other_libraries_and_the_root_stay_as_they_are() -> None:
    before = (logging.getLogger().handlers[:], logging.getLogger().level, logging.getLogger("datasets").handlers[:])
    log.set_up()
    assert (logging.getLogger().handlers, logging.getLogger().level, logging.getLogger("datasets").handlers) == before
