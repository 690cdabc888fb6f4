from __future__ import annotations

import pytest

from tests.slurm.cluster import Cluster

pytestmark = pytest.mark.slurm


def test_a_step_runs_on_both_nodes_with_the_gpus_that_it_asks_for(cluster: Cluster) -> None:
    words = ("--nodes=2", "--gpus-per-node=4", "bash", "-c", "echo $(hostname) $CUDA_VISIBLE_DEVICES")
    assert sorted(cluster.ask("srun", *words).splitlines()) == ["node1 0,1,2,3", "node2 0,1,2,3"]


def test_a_node_that_was_killed_can_be_booted_again(cluster: Cluster) -> None:
    cluster.kill_node("node2")
    cluster.start_node("node2")
    assert cluster.ask("srun", "--nodelist=node2", "hostname") == "node2\n"
