"""Progress: a line at the end and now and then where nobody watches, a bar on a terminal."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from configs.progress import Progress

REPOSITORY = Path(__file__).parents[2]


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged."""
    return [record.getMessage() for record in caplog.records]


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> list[float]:
    """Time that goes on by hand: the waiting would take minutes."""
    now = [1000.0]
    monkeypatch.setattr("configs.progress.time.monotonic", lambda: now[0])
    caplog.set_level(logging.INFO, "tsugiki.progress")
    return now


def test_the_end_gives_one_line(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with Progress("corpus: measure", 250_000_000, "MB") as progress:
        clock[0] += 10
        progress.advance(250_000_000)
    assert lines(caplog) == ["corpus: measure         250/250 MB  25.0 MB/s  10.0 s"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        pytest.param(14.9, [], id="just before fifteen seconds"),
        pytest.param(15, ["train                   100/400 steps  6.7 steps/s  ends in 45 s  loss 2.5"], id="fifteen"),
        pytest.param(31, ["train                   100/400 steps  3.2 steps/s  ends in 2 min  loss 2.5"], id="minutes"),
    ],
)
def test_a_line_comes_every_fifteen_seconds_with_the_expected_end(
    clock: list[float], caplog: pytest.LogCaptureFixture, seconds: float, shown: list[str]
) -> None:
    with Progress("train", 400, "steps") as progress:
        clock[0] += seconds
        progress.advance(100, "loss 2.5")
        progress.advance(0)
        assert lines(caplog) == shown


def test_a_line_can_be_asked_for_and_puts_off_the_next(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with Progress("train", 400, "steps", line_every_s=60) as progress:
        clock[0] += 59
        progress.advance(100, "loss 2.5")
        progress.tell("loss 2.5  norm 1.0")
        clock[0] += 59
        progress.advance(100, "loss 2.4")
        assert lines(caplog) == [
            "train                   100/400 steps  1.7 steps/s  ends in 3 min  loss 2.5  norm 1.0"
        ]
        clock[0] += 1
        progress.advance(0)
    assert lines(caplog)[1] == "train                   200/400 steps  1.7 steps/s  ends in 2 min  loss 2.4"


def test_of_several_processes_the_first_tells(
    clock: list[float], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    with Progress("train", 400, "steps") as progress:
        clock[0] += 99
        progress.advance(100)
        progress.tell()
    assert lines(caplog) == []


def test_small_amounts_show_a_tenth_of_a_megabyte(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with Progress("pack", 99_000_000, "MB") as progress:
        clock[0] += 1
        progress.advance(1_250_000)
    assert lines(caplog)[0].startswith("pack                    1.2/99.0 MB  1.2 MB/s")


def test_what_an_earlier_attempt_did_and_what_lies_between_does_not_make_it_faster_or_slower(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with Progress("train", 400, "steps", before=200) as progress:
        clock[0] += 20
        progress.advance(100, "loss 2.5")
        with progress.aside("held-out text") as tell:
            clock[0] += 30
            tell(3, 10)
        clock[0] += 20
        progress.advance(50)
    assert lines(caplog) == [
        "train                   300/400 steps  5.0 steps/s  ends in 20 s  loss 2.5",
        "train                   300/400 steps  5.0 steps/s  ends in 20 s  held-out text 3/10",
        "train                   350/400 steps  3.8 steps/s  ends in 13 s  loss 2.5",
        "train                   350/400 steps  3.8 steps/s  70.0 s  loss 2.5",
    ]


def test_an_error_gives_no_line(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError), Progress("pack", 1, "MB"):
        assert 1 / 0
    assert lines(caplog) == []


def test_an_unknown_total_is_no_division_by_zero(clock: list[float], caplog: pytest.LogCaptureFixture) -> None:
    with Progress("read", 0, "documents") as progress:
        clock[0] += 20
        progress.advance(5)
    assert lines(caplog)[0] == "read                    5/0 documents  0.2 documents/s"


def on_a_terminal(script: str) -> str:
    """What a program writes to a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TERM": "xterm", "COLUMNS": "120"}
    subprocess.run([sys.executable, "-c", script], env=environment, stderr=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    return shown


def test_a_log_line_on_a_terminal_stands_alone_above_the_bar() -> None:
    shown = on_a_terminal(
        "import logging, time\n"
        "from configs import log\n"
        "from configs.progress import Progress\n"
        "log.set_up()\n"
        "with Progress('train', 4, 'steps') as progress:\n"
        "    progress.advance(1)\n"
        "    time.sleep(0.2)\n"
        "    logging.getLogger('pretrain').info('step 1  bits per character 5.4')\n"
        "    time.sleep(0.2)\n"
        "    progress.advance(3)\n"
    )
    lines = re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown))
    assert [line[9:].rstrip() for line in lines if "bits per" in line] == ["pretrain  step 1  bits per character 5.4"]


def test_a_terminal_shows_a_bar() -> None:
    shown = on_a_terminal(
        "from configs.progress import Progress\n"
        "with Progress('corpus: measure', 4, 'documents') as progress:\n"
        "    progress.advance(4, 'kept 3')\n"
    )
    assert "corpus: measure" in shown
    assert "100 %" in shown
    assert "kept 3" in shown
