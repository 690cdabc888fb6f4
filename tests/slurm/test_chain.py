"""Runs on a real Slurm, from submit to an exported model, undisturbed and disturbed."""

from __future__ import annotations

import json
import shutil
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
    "corpus.decontaminate.held_out=false",  # its few documents resemble each other
)

pytestmark = pytest.mark.slurm


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
            time.sleep(0.1)

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


NewPlace = Callable[..., Place]

# Long enough to be met in the middle.
LONG = (
    "pretrain.stages={all: {tokens: 102400, mixture: {inhouse: 0.8, english: 0.2}}}",
    "pretrain.checkpoint.every_steps=100",
    "pretrain.evaluate.every_steps=400",
)


@pytest.fixture
def place(
    tmp_path: Path, cluster: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> NewPlace:
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    tiny_run(tmp_path)

    def new(name: str, *words: str) -> Place:
        return Place(tmp_path, cluster, capsys, f"run.dir={tmp_path}/{name}", *words)

    return new


@pytest.fixture
def packed(place: NewPlace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NewPlace:
    """A new place where all is ready for training."""
    with monkeypatch.context() as alone:
        alone.setenv("OMP_NUM_THREADS", "1")
        first = place("packed", *LONG)
        for noun, verb in (("corpus", "build"), ("tokenizer", "extend"), ("pretrain", "pack")):
            assert main([noun, verb, *first.words]) == 0

    def new(name: str, *words: str) -> Place:
        shutil.copytree(tmp_path / "packed", tmp_path / name)
        return place(name, *LONG, *words)

    return new


def undisturbed(packed: NewPlace) -> Place:
    """A run that nobody disturbed, at its end."""
    calm = packed("calm")
    calm.does("submit")
    calm.until(calm.over)
    assert {one["state"] for one in calm.status().values()} == {"complete"}, calm.does("status")
    return calm


@pytest.mark.slow
def test_a_run_goes_from_text_to_a_model_on_two_nodes(place: NewPlace) -> None:
    run = place("run")
    jobs = json.loads(run.does("submit", "--json"))
    assert list(jobs) == ["corpus", "tokenizer", "pack", "train", "export"]
    run.until(run.over)
    found = run.status()
    assert {one["state"] for one in found.values()} == {"complete"}, run.does("status")
    assert found["train"]["nodes"] == "node[1-2]"
    assert (found["train"]["training"]["step"], found["train"]["training"]["tokens"]) == (12, 3072)
    assert "model.safetensors" in run.model()
    assert run.does("submit") == "everything is complete\n"


@pytest.mark.parametrize("often", [pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.soak)])
def test_warned_of_its_end_training_goes_on_by_itself_to_the_same_model(packed: NewPlace, often: int) -> None:
    """With the signal that Slurm sends before the time limit, to whom it sends it."""
    calm, warned = undisturbed(packed), packed("warned")
    (job,) = json.loads(warned.does("submit", "--json"))["train"]
    for times in range(often):
        before = warned.steps()
        warned.until(lambda before=before: warned.steps() > before + 20)  # type: ignore[misc]
        warned.cluster.ask("scancel", "--signal=USR1", "--batch", job)
        warned.until(lambda times=times: warned.status()["train"]["restarts"] > times)  # type: ignore[misc]
    warned.until(warned.over)
    assert warned.status()["train"]["restarts"] == often
    assert warned.model() == calm.model()


@pytest.mark.slow
def test_a_training_that_fails_stops_the_chain_with_its_reason(packed: NewPlace) -> None:
    run = packed("run", "pretrain.guards={max_grad_norm: 1.0e-9, max_skipped: 2}")
    run.does("submit")
    run.until(run.over)
    train, export = run.status()["train"], run.status()["export"]
    assert train["state"] == "stopped"
    assert train["reason"].startswith("training ended by ")
    assert "skipped" in train["reason"]
    assert train["reason"] in train["last_lines"][-1]
    assert export["state"] == "cancelled"


@pytest.mark.soak
def test_cancelled_and_submitted_again_it_ends_with_the_same_model(packed: NewPlace) -> None:
    calm, run = undisturbed(packed), packed("run")
    run.does("submit")
    run.until(lambda: run.steps() > 150)
    run.does("cancel")
    run.until(run.over)
    assert run.status()["export"]["state"] == "cancelled"
    assert json.loads(run.does("submit", "--json")).keys() == {"train", "export"}
    run.until(run.over)
    assert run.model() == calm.model()


@pytest.mark.soak
@pytest.mark.parametrize("node", ["node1", "node2"])
def test_a_node_that_dies_costs_no_step_of_the_result(packed: NewPlace, node: str) -> None:
    calm, run = undisturbed(packed), packed("run")
    run.does("submit")
    run.until(lambda: run.steps() > 150)
    run.cluster.kill_node(node)
    run.until(lambda: run.status()["train"]["state"] == "waiting")
    run.cluster.start_node(node)
    run.until(run.over)
    assert run.model() == calm.model()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_the_time_limit_three_times_in_a_row_changes_nothing(packed: NewPlace) -> None:
    """Slurm's shortest limit is a minute, of which it may warn up to a minute early."""
    slow = ("pretrain.evaluate={every_steps: 4, samples: {tokens: 64, prompts: [ポンプの]}}",)
    calm = packed("calm", *slow)
    calm.does("submit")
    calm.until(calm.over, 900)
    run = packed("run", *slow, "slurm.time=0:02:00", "pretrain.stop.before_end_s=90")
    run.does("submit")
    run.until(run.over, 1500)
    assert run.status()["train"]["restarts"] >= 3
    assert run.model() == calm.model()
