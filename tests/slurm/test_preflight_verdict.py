"""What follows from what a look at the nodes found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from configs.errors import UnfinishedError, UserError
from configs.schema.site import Site
from slurm import attempts
from slurm.preflight.report import NodeReport, Report, report_path, write
from slurm.preflight.verdict import decide
from slurm.script import Job
from tests.tiny import tiny_run

NODES = ("node1", "node2")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """Job 7 of a run on two nodes."""
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    batch = "pretrain.batch_tokens=256"
    return Job(
        tiny_run(tmp_path, "slurm.nodes=2", "pretrain.engine=deepspeed", batch), Path("run.yaml"), Site(), "python"
    )


def found(job: Job, *bad: str, partition: str = "") -> None:
    """A look that finds something wrong with some nodes."""
    sound, broken = NodeReport(free_disk_gib=10.0), NodeReport(free_disk_gib=10.0, failed=["no CUDA"])
    nodes = {node: broken if node in bad else sound for node in NODES}
    write(report_path(job.folder), Report(nodes, complete=True))
    if partition:
        (job.folder / "partition.txt").write_text(partition)


def test_sound_nodes_train_and_nothing_is_left_out(job: Job) -> None:
    found(job)
    decide(job, NODES)
    assert attempts.excluded(job.folder) == {}
    assert attempts.why_stopped(job.folder) is None


def test_a_bad_node_is_left_out_beside_those_of_the_site_and_of_before(job: Job) -> None:
    job = replace(job, site=Site(options=("--exclude=login1",)))
    for bad in NODES:
        found(job, bad)
        with pytest.raises(UnfinishedError, match=f"begins again without {bad}; {bad}: no CUDA"):
            decide(job, NODES)
    assert (job.folder / "exclude.txt").read_text() == "7 login1,node1,node2\n"
    assert {node: one["reason"] for node, one in attempts.excluded(job.folder).items()} == dict.fromkeys(
        NODES, "no CUDA"
    )
    attempts.forget(job.folder)
    assert attempts.excluded(job.folder) == {}


def test_without_requeue_it_is_the_jobs_after_this_one_that_leave_it_out(job: Job) -> None:
    job = replace(job, site=Site(requeue=False))
    found(job, "node2")
    (job.folder / "jobs.json").write_text(json.dumps({"jobs": {"train": ["6", "7", "8", "9"]}}))
    with pytest.raises(UnfinishedError):
        decide(job, NODES)
    assert (job.folder / "exclude.txt").read_text() == "8 node2\n9 node2\n"


def test_a_node_that_slurm_gives_again_stops_the_chain(job: Job) -> None:
    found(job, "node2")
    with pytest.raises(UnfinishedError):
        decide(job, NODES)
    with pytest.raises(UserError, match=r"node2 was left out, and Slurm gives it again: .*--exclude=node2"):
        decide(job, NODES)
    with pytest.raises(UserError, match="training does not go on: node2 was left out"):
        decide(job, NODES)


@pytest.mark.parametrize(
    ("partition", "left"),
    [
        pytest.param("node1 alloc\nnode2 alloc\nnode3 idle\n", 2, id="as many as are asked for"),
        pytest.param("node1 alloc\nnode2 alloc\nnode3 idle*\n", 1, id="one does not answer"),
        pytest.param("node1 alloc\nnode2 alloc\nnode3 drain\n", 1, id="one is drained"),
        pytest.param("node1 mix\nnode2 mix\nnode3 idle~\n", 2, id="one that is booted when it is needed"),
    ],
)
def test_the_chain_stops_where_too_few_usable_nodes_are_left(job: Job, partition: str, left: int) -> None:
    found(job, "node2", partition=partition)
    if left == 2:
        with pytest.raises(UnfinishedError):
            decide(job, NODES)
        return
    with pytest.raises(UserError, match=r"too few nodes are left: 1 of the partition, slurm\.nodes is 2; .* no CUDA"):
        decide(job, NODES)
    assert str(attempts.why_stopped(job.folder)).startswith("too few nodes are left")


def test_where_every_node_has_something_wrong_it_is_no_matter_of_nodes(job: Job) -> None:
    found(job, *NODES)
    with pytest.raises(UserError, match="no node is as it must be: node1: no CUDA; node2: no CUDA"):
        decide(job, NODES)
    assert attempts.excluded(job.folder) == {}


def test_a_look_of_an_earlier_start_counts_for_nothing(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    found(job)
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    with pytest.raises(UserError, match="node1: did not answer; node2: did not answer"):
        decide(job, NODES)
