"""Trainings whose processes share the model over two nodes, and go on after a warning or on fewer nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.slurm.place import ModelOf, NewPlace, Place

pytestmark = pytest.mark.slurm

LAYOUTS = {
    "DeepSpeed, four processes": ("pretrain.parallel={processes: 2, zero: '3'}",),
    "tensor 2": ("pretrain.engine=megatron", "pretrain.parallel={tensor: 2}"),
    "pipeline 2": ("pretrain.engine=megatron", "pretrain.parallel={pipeline: 2}"),
    "torchrun, four processes": ("slurm.launcher=torchrun", "pretrain.parallel={processes: 2}"),
}

QUICK = {"DeepSpeed, four processes", "tensor 2"}


def warned(run: Place) -> None:
    """Submit it, and send what Slurm sends before the time limit."""
    job = run.submit()["train"][0]
    run.until_step(60)
    run.cluster.ask("scancel", "--signal=USR1", "--batch", job)
    run.until_over()


@pytest.mark.parametrize(
    "layout",
    [pytest.param(layout, marks=pytest.mark.slow if layout in QUICK else pytest.mark.soak) for layout in LAYOUTS],
)
def test_a_layout_over_two_nodes_goes_on_to_the_same_model(packed: NewPlace, calm_model: ModelOf, layout: str) -> None:
    run = packed("run", *LAYOUTS[layout])
    warned(run)
    assert run.status()["train"]["restarts"] == 1
    assert run.status()["train"]["nodes"] == "node[1-2]"
    assert run.model() == calm_model(*LAYOUTS[layout])


@pytest.mark.slow
def test_fewer_nodes_take_the_same_batches_to_the_same_losses(packed: NewPlace, tmp_path: Path) -> None:
    two, one = packed("two"), packed("one")
    two.submit()
    two.until_over()
    one.submit()
    one.until_step(60)
    one.does("cancel")
    one.until_over()
    fewer = Place(Path(one.words[0]), one.cluster, *one.words[2::2], "slurm.nodes=1")
    fewer.submit()
    fewer.until_over()
    assert fewer.status()["train"]["nodes"] in ("node1", "node2")
    assert fewer.metrics("order") == two.metrics("order")
    before, after = two.metrics("step"), fewer.metrics("step")
    assert [line["step"] for line in after] == list(range(1, 161))
    apart = [abs(a["loss_nats"] - b["loss_nats"]) for a, b in zip(before, after, strict=True)]
    assert max(apart) < 1e-4
    assert fewer.model().keys() == two.model().keys()


@pytest.mark.slow
def test_where_no_job_may_be_requeued_the_next_of_the_chain_goes_on(
    packed: NewPlace, calm_model: ModelOf, tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text("requeue: false\n")
    run = packed("run", f"slurm.site={tmp_path}/site.yaml", "slurm.jobs=3")
    warned(run)
    assert run.model() == calm_model()
    first, second, third = (run.folder / f"{job}-train.log" for job in run.status()["train"]["jobs"])
    assert "goes on from its last checkpoint" in first.read_text()
    assert "is complete" not in second.read_text()
    assert "is complete" in third.read_text()


@pytest.mark.soak
def test_two_runs_train_on_the_same_nodes_at_once(packed: NewPlace, calm_model: ModelOf) -> None:
    longer = "pretrain.stages.all.tokens=81920"  # so that they meet
    one, other = packed("one", longer), packed("other", longer, "pretrain.optim.lr=4.0e-3")
    one.submit()
    other.submit()
    one.until(lambda: one.steps() > 20 and other.steps() > 20)
    assert one.status()["train"]["nodes"] == other.status()["train"]["nodes"] == "node[1-2]"
    assert one.status()["train"]["state"] == other.status()["train"]["state"] == "running"
    one.until_over()
    assert one.model() == calm_model(longer)
    assert other.model() == calm_model(longer, "pretrain.optim.lr=4.0e-3")
