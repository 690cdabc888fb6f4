"""Runs on a real Slurm, from submit to an exported model, undisturbed and disturbed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.atomic_file import sha256_of
from configs.schema.run import Run
from tests.slurm.cluster import Cluster
from tests.tiny import tiny_run
from tsugiki.__main__ import main

REPOSITORY = Path(__file__).parents[2]
TWO_NODES = (
    "pretrain.engine=deepspeed",
    "slurm={nodes: 2, cpus_per_task: 1, time: '0:10:00'}",
    "pretrain.stop.before_end_s=60",
)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]


class Place:
    """A run of its own on the cluster, and the commands that a user gives."""

    def __init__(self, root: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        self.cluster, self._capsys = cluster, capsys
        self.run: Run = tiny_run(root, *TWO_NODES, *words)
        self.words = [str(root / "run.yaml"), *(part for word in (*TWO_NODES, *words) for part in ("--set", word))]
        self.folder = self.run.run.dir / "slurm"

    def does(self, verb: str, *words: str) -> str:
        """What `tsugiki slurm VERB` prints."""
        self._capsys.readouterr()  # of what was imported on the way
        assert main(["slurm", verb, *self.words, *words]) == 0, self._capsys.readouterr().err
        return self._capsys.readouterr().out

    def status(self) -> dict[str, dict[str, Any]]:
        """By stage."""
        return {one["stage"]: one for one in json.loads(self.does("status", "--json"))}

    def until(self, holds: Callable[[], Any], seconds: float = 400) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            logs = "".join(path.read_text()[-3000:] for path in self.folder.glob("*.log"))
            assert time.monotonic() < deadline, f"{self.does('status')}\n{logs}"
            time.sleep(0.2)

    def over(self) -> bool:
        """Whether no job is left."""
        return self.cluster.ask("squeue", "--noheader").strip() == ""

    def steps(self) -> int:
        """Taken by the training, saved or not."""
        metrics = self.run.run.dir / "checkpoints" / "metrics.jsonl"
        return metrics.read_text().count('"kind": "step"') if metrics.exists() else 0

    def model(self) -> dict[str, str]:
        """Digests of the exported files."""
        folder = self.run.run.dir / "model" / "hf"
        return {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.fixture
def place(tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    tiny_run(tmp_path)

    def new(name: str, *words: str) -> Place:
        return Place(tmp_path, cluster, capsys, f"run.dir={tmp_path}/{name}", *words)

    return new


def test_a_run_goes_from_text_to_a_model(place: Callable[..., Place]) -> None:
    calm = place("calm")
    jobs = json.loads(calm.does("submit", "--json"))
    assert list(jobs) == ["corpus", "tokenizer", "pack", "train", "export"]
    calm.until(calm.over)
    assert {one["state"] for one in calm.status().values()} == {"complete"}, calm.does("status")
