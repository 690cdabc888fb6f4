"""Runs on a real Slurm, from submit to an exported model, undisturbed and disturbed by Slurm and its user."""

from __future__ import annotations

import json
import time

import pytest

from slurm.attempts import STARTS
from tests.slurm.cluster import Cluster, address_of
from tests.slurm.place import ModelOf, NewPlace

pytestmark = pytest.mark.slurm

MADE = ("corpus", "tokenizer", "tokens", "packed", "checkpoints", "model", "tensorboard")


@pytest.mark.slow
def test_a_run_goes_from_text_to_a_model_on_two_nodes(place: NewPlace) -> None:
    run = place("run", "pretrain.log.every_steps=1")
    assert list(run.submit()) == ["corpus", "tokenizer", "pack", "train", "export"]
    shown = [json.loads(line) for line in run.does("status", "--watch", "0.3", "--json").splitlines()]
    assert run.cluster.ask("squeue", "--noheader") == ""  # it has watched to the end
    assert [one["state"] for one in shown[0]][1:] == ["waiting"] * 4
    assert {one["reason"] for one in shown[0][1:]} <= {"Dependency", None}
    trains = [found[3] for found in shown if found[3]["state"] == "running" and found[3]["training"]["tokens_per_s"]]
    assert trains
    assert all(one["expected_end"] > one["start"] and one["training"]["steps"] == 12 for one in trains)
    assert "model.safetensors" in run.model()
    train = run.status()["train"]
    assert train["nodes"] == "node[1-2]"
    assert (train["training"]["step"], train["training"]["tokens"]) == (12, 3072)
    assert run.does("submit") == "everything is complete\n"
    # Nobody else can read what holds in-house text.
    assert (run.run.run.dir.stat().st_mode & 0o777, run.folder.stat().st_mode & 0o777) == (0o700, 0o700)
    made = [path for path in run.run.run.dir.rglob("*") if path.relative_to(run.run.run.dir).parts[0] in MADE]
    assert len(made) > 50
    assert {path for path in made if path.stat().st_mode & 0o077} == set()


def assert_ports_are_of_the_nodes(cluster: Cluster) -> None:
    """The processes listen where other nodes of the cluster reach them, and nowhere else."""
    for node in ("node1", "node2"):
        listeners = {address.rpartition(":")[0] for _, address in cluster.listeners(node)}
        assert address_of(node) in listeners
        assert listeners <= {address_of(node), "127.0.0.1", "[::1]"}


@pytest.mark.parametrize("often", [pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.soak)])
def test_warned_of_its_end_training_goes_on_by_itself_to_the_same_model(
    packed: NewPlace, calm_model: ModelOf, often: int
) -> None:
    """With the signal that Slurm sends before the time limit, to whom it sends it."""
    warned = packed("warned")
    (job,) = warned.submit()["train"]
    warned.until_step(1)
    assert_ports_are_of_the_nodes(warned.cluster)
    for times in range(often):
        warned.until_step(warned.steps() + 20)
        warned.cluster.ask("scancel", "--signal=USR1", "--batch", job)
        warned.until_restarted(times + 1)
    warned.until_over()
    assert warned.cluster.listeners("node1") == warned.cluster.listeners("node2") == set()
    assert warned.status()["train"]["restarts"] == often
    assert warned.model() == calm_model()


@pytest.mark.soak
def test_displaced_by_an_urgent_job_it_begins_again_and_ends_with_the_same_model(
    packed: NewPlace, calm_model: ModelOf
) -> None:
    run = packed("run")
    run.submit()
    run.until_step(60)
    run.cluster.ask("sbatch", "--partition=urgent", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 2")
    run.until_restarted(1)
    run.until_over()
    assert run.model() == calm_model()


@pytest.mark.soak
def test_cancelled_and_submitted_again_it_ends_with_the_same_model(packed: NewPlace, calm_model: ModelOf) -> None:
    run = packed("run")
    run.submit()
    run.until_step(60)
    run.does("cancel")
    run.until_over()
    assert run.status()["export"]["state"] == "cancelled"
    assert run.submit().keys() == {"train", "export"}
    run.until_over()
    assert run.model() == calm_model()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_time_limit_three_times_in_a_row_changes_nothing(packed: NewPlace, calm_model: ModelOf) -> None:
    """As Slurm itself warns of it: of the limit, two minutes, each start has some 25 s for steps, of 100 s in all."""
    probe = packed("probe")
    probe.submit()
    probe.until((probe.folder / STARTS).exists)
    times = [time.monotonic()]
    for step in (1, 151):
        probe.until_step(step)
        times.append(time.monotonic())
    begin_s, steps_s = times[1] - times[0], times[2] - times[1]
    probe.until_over()
    steps = max(400, round(100 / steps_s * 150))
    longer = f"pretrain.stages.all.tokens={steps * 256}"
    before_end_s = max(10, round(120 - begin_s - 25))
    run = packed("run", longer, "slurm.time=0:02:00", f"pretrain.stop.before_end_s={before_end_s}")
    run.submit()
    run.until_over(2000)
    assert run.status()["train"]["restarts"] >= 3
    assert run.model() == calm_model(longer)
