"""A run of its own on the cluster of the tests, and what a user does with it."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from configs.atomic_file import sha256_of
from configs.load import load
from configs.schema.run import Run
from tests.slurm.cluster import Cluster
from tsugiki.__main__ import main

TWO_NODES = (
    "pretrain.engine=deepspeed",
    # Its nodes share the cores of one machine, and their speeds say nothing; test_preflight.py looks at nodes.
    "slurm={nodes: 2, cpus_per_task: 1, time: '0:10:00', preflight: {enabled: false}}",
    "pretrain.stop.before_end_s=60",
)
# Long enough to be met in the middle.
LONG = (
    "pretrain.stages={all: {tokens: 40960, mixture: {inhouse: 0.8, english: 0.2}}}",
    "pretrain.checkpoint.every_steps=40",
    "pretrain.evaluate.every_steps=80",
)


class Place:
    """The run of a run file, with overrides; it is submitted and watched in this process."""

    def __init__(self, run_file: Path, cluster: Cluster, *words: str) -> None:
        self.cluster = cluster
        self.run = load(run_file, Run, (*TWO_NODES, *words))
        self.words = [str(run_file), *(part for word in (*TWO_NODES, *words) for part in ("--set", word))]
        self.folder = self.run.run.dir / "slurm"

    def does(self, verb: str, *words: str) -> str:
        """What `tsugiki slurm VERB` prints."""
        with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
            status = main(["slurm", verb, *self.words, *words])
        assert status == 0, err.getvalue()
        return out.getvalue()

    def submit(self, *words: str) -> dict[str, list[str]]:
        """The numbers of the jobs, by stage."""
        jobs: dict[str, list[str]] = json.loads(self.does("submit", "--json", *words))
        return jobs

    def status(self) -> dict[str, dict[str, Any]]:
        """By stage."""
        return {one["stage"]: one for one in json.loads(self.does("status", "--json"))}

    def until(self, holds: Callable[[], Any], seconds: float = 900) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"{self.does('status')}\n{self.log()}"
            time.sleep(0.1)

    def until_over(self, seconds: float = 900) -> None:
        """Wait until no job of the cluster is left."""
        self.until(lambda: self.cluster.ask("squeue", "--noheader").strip() == "", seconds)

    def until_step(self, number: int) -> None:
        """Wait until the training, if it has not failed, has taken so many steps."""
        self.until(lambda: self.steps() >= number)

    def until_restarted(self, often: int) -> None:
        """Wait until the training has begun again so many times."""
        self.until(lambda: self.status()["train"]["restarts"] >= often)

    def until_logged(self, words: str) -> None:
        """Wait until the training's log has some words."""
        self.until(lambda: any(words in path.read_text() for path in self.folder.glob("*-train.log")))

    def steps(self) -> int:
        """Taken by the training, saved or not."""
        return len(self.metrics("step"))

    def metrics(self, kind: str) -> list[dict[str, Any]]:
        """The lines of a kind that the training has written, but one that is not whole yet."""
        path = self.run.run.dir / "checkpoints" / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        found = [json.loads(line) for line in lines if line.endswith("\n")]
        return [line for line in found if line["kind"] == kind]

    def log(self) -> str:
        """The ends of all logs."""
        return "".join(f"{path.name}:\n{path.read_text()[-3000:]}" for path in sorted(self.folder.glob("*.log")))

    def model(self) -> dict[str, str]:
        """Digests of the exported files."""
        assert {one["state"] for one in self.status().values()} == {"complete"}, f"{self.does('status')}\n{self.log()}"
        folder = self.run.run.dir / "model" / "hf"
        return {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.is_file()}


NewPlace = Callable[..., Place]
"""Makes a place: the name of its directory, which is new, and overrides."""

ModelOf = Callable[..., dict[str, str]]
"""The model of a run that nobody disturbed, by its overrides."""


def lose(cluster: Cluster, how: str, node: str) -> None:
    """Crash a node: slurmctld notices by itself, or is told."""
    (cluster.kill_node if how == "killed" else cluster.fail_node)(node)
