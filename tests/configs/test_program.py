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
    run = "from configs.program import run_program; run_program('test', 'program_under_test')"
    ended = subprocess.run(
        [sys.executable, "-c", run],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(tmp_path)))},
    )
    assert (ended.returncode, ended.stdout) == (status, out)
    assert err in ended.stderr
    assert "Traceback" not in ended.stderr
