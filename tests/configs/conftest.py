"""Run files of a few lines, and what the loader says about them."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from configs.load import load
from configs.schema.run import Run

Complaints = Callable[..., list[str]]
ONE_PROBLEM = "1 problem(s); nothing was started"
RUN_FILE = """\
run: {name: pumps, dir: runs/pumps, seed: 12}
corpus:
  sources:
    manuals: {path: manuals, language: ja}
pretrain:
  base: base
  seq_len: 8
  batch_tokens: 16
  stages:
    all: {tokens: 64, mixture: {manuals: 1}}
"""


@pytest.fixture(scope="session")
def run_text() -> str:
    """A run file with what is required and nothing else."""
    return RUN_FILE


@pytest.fixture
def run_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same on disk, under a name that messages show as it is."""
    monkeypatch.chdir(tmp_path)
    path = Path("run.yaml")
    path.write_text(RUN_FILE)
    return path


@pytest.fixture
def complaints(run_file: Path) -> Callable[..., list[str]]:
    """The lines of the message that a run file gives, with the `--set` options behind it."""

    def lines(content: str | bytes, *overrides: str) -> list[str]:
        run_file.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(UserError) as caught:
            load(run_file, Run, overrides)
        return str(caught.value).splitlines()

    return lines


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that other users may read; tmp_path is its owner's alone."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


NOBODY = 65534


@pytest.fixture
def as_nobody() -> Callable[[Callable[[], Any]], Any]:
    """Call something as a user whom permissions bind, which root is not; gives its JSON result."""

    def call(do: Callable[[], Any]) -> Any:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                if os.geteuid() == 0:
                    os.setgroups([])
                    os.setgid(NOBODY)
                    os.setuid(NOBODY)
                os.write(writing, json.dumps(do()).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading) as answer:
            given = answer.read()
        os.waitpid(child, 0)
        return json.loads(given)

    return call
