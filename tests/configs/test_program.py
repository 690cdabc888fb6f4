"""The process of a command line ends with the status of its work, whenever Ctrl-C comes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

_MODULE = """
import atexit, signal

{imported}

def verbs(parser):
    parser.set_defaults(do=work)

def work(arguments):
    atexit.register(print, "tidied up")
    {work}
"""

PRESS = "signal.raise_signal(signal.SIGINT)"
AT_THE_END = "atexit.register(signal.raise_signal, signal.SIGINT)"
STOPPED = "tsugiki: stopped; finished work is kept"


def _run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    run = "from configs.program import run_program; run_program('test', 'program_under_test')"
    return subprocess.run(
        [sys.executable, "-c", run, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(tmp_path)))},
    )


@pytest.mark.parametrize(
    ("imported", "work", "status", "out", "err"),
    [
        pytest.param("", PRESS, 130, "tidied up\n", STOPPED, id="anywhere"),
        # As named tuples and data classes are made.
        pytest.param("", f"exec({PRESS!r})", 130, "tidied up\n", STOPPED, id="in code of text"),
        pytest.param(PRESS, "pass", 130, "", "", id="while it is imported"),
        pytest.param("", AT_THE_END, 0, "tidied up\n", "", id="after the work"),
        pytest.param("", "pass", 0, "tidied up\n", "", id="never"),
    ],
)
def test_a_process_ends_with_the_status_of_its_work(
    tmp_path: Path, imported: str, work: str, status: int, out: str, err: str
) -> None:
    (tmp_path / "program_under_test.py").write_text(_MODULE.format(imported=imported, work=work))
    ended = _run(tmp_path)
    assert (ended.returncode, ended.stdout) == (status, out)
    assert err in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_bug_keeps_its_traceback_and_its_status(tmp_path: Path) -> None:
    (tmp_path / "program_under_test.py").write_text(_MODULE.format(imported="", work="1 / 0"))
    ended = _run(tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "tidied up\n")
    assert ended.stderr.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(("word", "status"), [("--help", 0), ("--no-such-word", 2)])
def test_the_parser_of_words_gives_the_status_that_it_always_does(tmp_path: Path, word: str, status: int) -> None:
    (tmp_path / "program_under_test.py").write_text(_MODULE.format(imported="", work="pass"))
    ended = _run(tmp_path, word)
    assert ended.returncode == status
    assert "usage: test" in ended.stdout + ended.stderr


def test_the_interpreter_is_not_taken_down_under_threads_that_still_run(tmp_path: Path) -> None:
    late = "class Late:\n    def __del__(self): print('taken down')\n\nlate = Late()"
    (tmp_path / "program_under_test.py").write_text(_MODULE.format(imported=late, work="pass"))
    assert _run(tmp_path).stdout == "tidied up\n"
