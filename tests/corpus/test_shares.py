"""Programs that make one corpus together: each task once, nothing lost with one of them, the same bytes."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.artifact import Artifact, Builder, Claim, Share, build
from configs.errors import UserError
from configs.lock import exclusive, held, together
from corpus.build import build_corpus, share_corpus
from corpus.cli import verbs
from corpus.shares import in_turn
from corpus.tasks import run_phase
from tests.corpus.corpora import REPOSITORY, SMALL_TASKS, SOURCES, RunOf, bytes_of


def builder_of(directory: Path, number: int, of: int) -> Builder:
    """A share of a directory's tasks."""
    builder = build(directory, kind="squares", version=1, config={}, inputs={})
    builder.share = Share(number, of)
    return builder


@given(st.integers(0, 30), st.integers(1, 9), st.data())
def test_a_share_begins_with_its_own_and_comes_to_all(tasks: int, of: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, of - 1))
    keys = [f"{k}" for k in range(tasks)]
    turns = in_turn(keys, Share(number, of))
    assert sorted(turns) == sorted(keys)
    own = keys[number::of]
    assert turns[: len(own)] == own


def test_shares_at_work_at_once_do_each_task_once(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    all_at_work = threading.Barrier(3)
    results: dict[int, dict[str, Any]] = {}

    def work_of(share: int) -> Any:
        def work(claim: Claim, number: int) -> int:
            if number == share:  # the first of its own
                all_at_work.wait(60)
            with claim.file(f"squares/{number}.txt") as out:
                out.write(b"done")
            done.append((share, number))
            return number * number

        return work

    def run(share: int) -> None:
        arguments = {f"t{number}": (number, 1) for number in range(20)}
        results[share] = run_phase(builder_of(tmp_path / "k", share, 3), "square", work_of(share), arguments, 1)

    threads = [threading.Thread(target=run, args=(share,)) for share in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(number for _, number in done) == list(range(20))
    assert {share for share, _ in done} == {0, 1, 2}
    expected = {f"t{number}": number * number for number in range(20)}
    assert all(list(found.items()) == list(expected.items()) for found in results.values())


HOLD = """
import sys
from pathlib import Path
from configs.lock import held
with held(Path(sys.argv[1])) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_share_was_at_is_done_by_another(tmp_path: Path) -> None:
    lock = tmp_path / "k" / ".tasks" / "square-t1.lock"
    command, path = [sys.executable, "-c", HOLD, str(lock)], {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=path, text=True, **pipes) as other:  # type: ignore[call-overload]
        assert other.stdout.readline() == "True\n"
        done: list[int] = []

        def work(claim: Claim, number: int) -> int:
            done.append(number)
            if number == 3:  # the last that nobody holds
                other.send_signal(signal.SIGKILL)
            return number

        arguments = {f"t{number}": (number, 1) for number in range(4)}
        found = run_phase(builder_of(tmp_path / "k", 0, 1), "square", work, arguments, 1)
    assert done == [0, 2, 3, 1]
    assert list(found.values()) == [0, 1, 2, 3]


def test_an_error_of_a_task_ends_a_share_and_holds_nothing(tmp_path: Path) -> None:
    def work(claim: Claim, number: int) -> int:
        raise UserError("broken")

    with pytest.raises(UserError, match="broken"):
        run_phase(builder_of(tmp_path / "k", 0, 2), "square", work, {"t": (1, 1)}, 1)
    with held(tmp_path / "k" / ".tasks" / "square-t.lock") as mine:
        assert mine


def test_one_share_whose_others_never_come_and_the_build_after_it_give_the_same_bytes(
    built: Artifact, mixed: Path, run_of: RunOf, tmp_path: Path
) -> None:
    run = run_of(mixed, tmp_path, *SOURCES, overrides=SMALL_TASKS)
    share_corpus(run, Share(1, 3))
    assert not (tmp_path / "corpus" / "manifest.json").exists()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*.parquet")}
    build_corpus(run)
    assert bytes_of(tmp_path / "corpus") == bytes_of(built.dir)
    assert {path: path.stat().st_mtime_ns for path in before if path.exists()}.items() <= before.items()


def test_shares_are_at_work_together_and_nobody_else_with_them(tmp_path: Path) -> None:
    with together(tmp_path), together(tmp_path), pytest.raises(UserError, match="works here"), exclusive(tmp_path):
        pass
    with exclusive(tmp_path), pytest.raises(UserError, match="works here"), together(tmp_path):
        pass


@pytest.mark.parametrize("share", ["2/2", "-1/2", "0", "a/b", "0/0"])
def test_a_share_that_there_is_not_is_refused(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    verbs(parser)
    assert parser.parse_args(["share", "run.yaml", "1/2"]).share == Share(1, 2)
    with pytest.raises(SystemExit):
        parser.parse_args(["share", "run.yaml", "--", share])
    assert "invalid" in capsys.readouterr().err
