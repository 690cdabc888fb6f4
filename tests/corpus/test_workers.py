"""How processes begin: as copies of one that is alone with itself, else from nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DRIVER = """
import sys
import threading
from corpus import workers
from tsugiki_test_loaded import Loaded

if __name__ == "__main__":
    workers._WORTH_A_PROCESS_BYTES = 0
    if sys.argv[1] == "beside":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    Loaded.by_the_parent = True
    with workers.Workers(2) as two:
        print(sorted(two.run({"a": Loaded(), "b": Loaded()}, 2)))
"""
LOADED = """
class Loaded:
    by_the_parent = False

    def run(self):
        return Loaded.by_the_parent
"""


@pytest.mark.parametrize(("threads", "loaded"), [("alone", True), ("beside", False)])
def test_only_a_process_of_one_thread_copies_what_it_has_loaded(tmp_path: Path, threads: str, loaded: bool) -> None:
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "tsugiki_test_loaded.py").write_text(LOADED)
    command = [sys.executable, str(tmp_path / "driver.py"), threads]
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{tmp_path}"}
    told = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert told == f"[('a', {loaded}), ('b', {loaded})]\n"


COMMAND_LINE = """
from contextlib import suppress
from configs.program import run_program
with suppress(SystemExit):
    run_program("python -m corpus", "corpus.cli")
import corpus.build
from corpus.workers import _is_alone
print(_is_alone())
"""


@pytest.mark.slow
def test_a_command_line_has_one_thread_when_it_begins(tmp_path: Path) -> None:
    by_default = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    command = [sys.executable, "-c", COMMAND_LINE, "build", "--help"]
    environment = {**by_default, "PYTHONPATH": str(REPOSITORY)}
    told = subprocess.run(command, env=environment, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert told.endswith("\nTrue\n")
