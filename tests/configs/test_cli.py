"""How a command line ends: 0, 1, 2 or 130 with a message, and a traceback for bugs only."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs import cli
from configs.errors import ConfigError, Place, Problem, UserError
from configs.schema.run import Run

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY)}

SEEN: list[Run] = []


def work(run: Run) -> None:
    """A stage that tests start by name."""
    SEEN.append(run)
    logging.getLogger("configs.test").info("at work")


def doing(do: Callable[[], object]) -> cli.Verbs:
    """A program that does one thing."""
    return lambda parser: parser.set_defaults(do=lambda _: do())


def raising(error: BaseException) -> cli.Verbs:
    """A program that ends with an error."""

    def fail() -> None:
        raise error

    return doing(fail)


@pytest.fixture
def quiet_again() -> Iterator[None]:
    """Loggers as they were."""
    packages = [logging.getLogger(name) for name in ("configs", "corpus", "tokenizer", "pretrain", "slurm", "tsugiki")]
    before = [(one.handlers, one.level, one.propagate) for one in packages]
    yield
    for one, (handlers, level, propagate) in zip(packages, before, strict=True):
        one.handlers, one.propagate = handlers, propagate
        one.setLevel(level)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        pytest.param(UserError("runs/a: broken"), 1, "tsugiki: runs/a: broken\n", id="the world is wrong"),
        pytest.param(
            ConfigError([Problem(Place("run.yaml", 2, 3), "run.seed", "wrong")]),
            2,
            "run.yaml:2:3: run.seed: wrong\n1 problem(s); nothing was started\n",
            id="the run file is wrong",
        ),
        pytest.param(
            KeyboardInterrupt(),
            130,
            "\ntsugiki: stopped; finished work is kept, the same command goes on from there\n",
            id="Ctrl-C",
        ),
        pytest.param(
            OSError(errno.ENOSPC, "No space left on device", "runs/a/x"),
            1,
            "tsugiki: runs/a/x: no space left on the device; "
            "free some and run the same command again, finished work is kept\n",
            id="full disk",
        ),
    ],
)
def test_an_error_ends_the_program_with_its_status_and_message(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, message: str
) -> None:
    assert cli.main("test", raising(error), []) == status
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize(("rank", "told"), [("0", 1), ("1", 0), ("3", 0)])
def test_a_wrong_run_file_is_told_by_the_first_process_of_a_launch_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rank: str, told: int
) -> None:
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(cli, "_FIRST_TELLS_S", 0.01)
    wrong = ConfigError([Problem(Place("run.yaml", 2, 3), "run.seed", "wrong")])
    assert cli.main("test", raising(wrong), []) == 2
    assert capsys.readouterr().err.count("run.yaml:2:3: run.seed: wrong") == told


def test_what_is_done_gives_its_lines_and_status_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main("test", doing(lambda: cli.say("結果")), []) == 0
    assert capsys.readouterr() == ("結果\n", "")


@pytest.mark.parametrize("error", [ValueError("bug"), OSError(errno.ENOENT, "none"), AssertionError()], ids=repr)
def test_a_bug_keeps_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error)):
        cli.main("test", raising(error), [])


def test_a_wrong_command_line_gives_status_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main("test", doing(lambda: None), ["--no-such-option"])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: test ")


def verbs(parser: argparse.ArgumentParser) -> None:
    """One stage, as packages add theirs."""
    commands = parser.add_subparsers(required=True)
    cli.add_stage(commands, "work", f"{__name__}:work", "work on something")


@pytest.mark.usefixtures("quiet_again")
def test_a_stage_gets_the_run_with_its_options_and_holds_the_lock(
    run_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    SEEN.clear()
    assert cli.main("test", verbs, ["work", "run.yaml", "--set", "run.seed=3", "--set", "run.name=other"]) == 0
    assert [(run.run.seed, run.run.name) for run in SEEN] == [(3, "other")]
    assert Path("runs/pumps/.lock").read_text() == f"{os.getpid()}\n"
    assert capsys.readouterr().err.endswith(" configs.test  at work\n")


@pytest.mark.usefixtures("quiet_again")
@pytest.mark.parametrize(
    ("rank", "locks"), [pytest.param("0", True, id="first"), pytest.param("1", False, id="another")]
)
def test_of_the_processes_of_one_launch_the_first_holds_the_lock(
    run_file: Path, monkeypatch: pytest.MonkeyPatch, rank: str, locks: bool
) -> None:
    monkeypatch.setenv("RANK", rank)
    SEEN.clear()
    assert cli.main("test", verbs, ["work", "run.yaml"]) == 0
    assert len(SEEN) == 1
    assert Path("runs/pumps/.lock").exists() == locks


def test_a_wrong_run_file_starts_nothing(run_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    SEEN.clear()
    assert cli.main("test", verbs, ["work", "run.yaml", "--set", "run.sed=3"]) == 2
    assert capsys.readouterr().err == (
        "--set run.sed=3: run.sed: unknown key; did you mean 'seed'?\n1 problem(s); nothing was started\n"
    )
    assert SEEN == []
    assert not Path("runs").exists()


def program(body: str) -> list[str]:
    """A program of its own, whose one verb does `body`."""
    script = f"from configs.cli import main, say\nimport sys, time\ndef do(_):\n{body}\n"
    return [sys.executable, "-c", script + "raise SystemExit(main('test', lambda p: p.set_defaults(do=do), []))"]


def test_ctrl_c_on_a_running_program_gives_130_and_no_traceback() -> None:
    with subprocess.Popen(
        program("  say('ready')\n  sys.stdout.flush()\n  time.sleep(600)"),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        _, told = running.communicate(timeout=300)
    assert told == "\ntsugiki: stopped; finished work is kept, the same command goes on from there\n"
    assert running.returncode == 130


@pytest.mark.parametrize("buffered", [True, False])
def test_a_reader_that_went_away_ends_the_program_without_a_word(buffered: bool) -> None:
    environment: dict[str, Any] = {**ENVIRONMENT, "PYTHONUNBUFFERED": "" if buffered else "1"}
    with subprocess.Popen(
        program("  for n in range(100_000):\n    say(n)"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == "0\n"
        running.stdout.close()
        assert running.stderr.read() == ""
    assert running.returncode not in (0, None)
    assert running.returncode > 0
