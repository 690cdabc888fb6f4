"""Runs that went all the way, and what to compare of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import tiny_run
from tsugiki.__main__ import main

REPOSITORY = Path(__file__).parents[2]
STAGES = ("corpus", "tokenizer", "tokens", "packed/64", "checkpoints", "model", "report")


def made_by(run_dir: Path) -> dict[str, bytes]:
    """Every file that must be the same in every run: what the manifests name, and the manifests."""
    files = {}
    for stage in STAGES:
        manifest = run_dir / stage / "manifest.json"
        for name in [*json.loads(manifest.read_bytes())["files"], "manifest.json"]:
            files[f"{stage}/{name}"] = (run_dir / stage / name).read_bytes()
    return files


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that went all the way; do not change it."""
    root = tmp_path_factory.mktemp("finished")
    tiny_run(root)
    assert main(["run", str(root / "run.yaml")]) == 0
    return root


def tsugiki(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it."""
    command = [sys.executable, "-m", "tsugiki", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)
