"""Nodes and the controller that die while jobs run: nothing is lost, and nothing hangs."""

from __future__ import annotations

import pytest

from tests.slurm.place import ModelOf, NewPlace, lose

pytestmark = pytest.mark.slurm

MEGATRON = ("pretrain.engine=megatron", "pretrain.parallel={tensor: 2}")


@pytest.mark.parametrize(
    ("how", "node", "words"),
    [
        pytest.param("failed", "node1", (), marks=pytest.mark.slow, id="the first fails"),
        pytest.param("failed", "node2", (), marks=pytest.mark.soak, id="the second fails"),
        pytest.param("killed", "node1", (), marks=pytest.mark.soak, id="the first is killed"),
        pytest.param("killed", "node2", (), marks=pytest.mark.soak, id="the second is killed"),
        pytest.param("failed", "node2", MEGATRON, marks=pytest.mark.soak, id="one of a tensor group fails"),
    ],
)
def test_a_node_that_dies_costs_no_step_of_the_result(
    packed: NewPlace, calm_model: ModelOf, how: str, node: str, words: tuple[str, ...]
) -> None:
    run = packed("run", *words)
    run.submit()
    run.until_step(60)
    lose(run.cluster, how, node)
    run.until(lambda: run.status()["train"]["state"] == "waiting")
    run.cluster.start_node(node)
    run.until_over()
    assert run.status()["train"]["restarts"] >= 1
    assert run.model() == calm_model(*words)


@pytest.mark.soak
def test_the_controller_may_be_away_when_training_stops(packed: NewPlace, calm_model: ModelOf) -> None:
    """The head node of the cluster crashes; the training saves and cannot say so until it is back."""
    run = packed("run")
    run.submit()
    run.until_step(60)
    run.cluster.kill_controller()
    (run.run.run.dir / "stop").touch()
    run.until_logged("goes on from its last checkpoint")
    run.cluster.start_controller()
    run.until_over()
    assert run.status()["train"]["restarts"] == 1
    assert run.model() == calm_model()


@pytest.mark.soak
def test_the_controller_may_be_away_while_training_runs_to_its_end(packed: NewPlace, calm_model: ModelOf) -> None:
    run = packed("run")
    run.submit()
    run.until_step(60)
    run.cluster.kill_controller()
    run.until(lambda: (run.run.run.dir / "checkpoints" / "manifest.json").exists())
    run.cluster.start_controller()
    run.until_over()
    assert run.model() == calm_model()
