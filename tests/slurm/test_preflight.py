"""The look at nodes on a real Slurm of three, of which node2 is bad in ways that real nodes are."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.new_cluster import new_cluster, on_path
from tests.slurm.place import NewPlace
from tests.slurm.test_guide import FIRST, blocks

REPOSITORY = Path(__file__).parents[2]

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

# Ten steps are enough to see that it goes on.
SHORT = "pretrain.stages.all.tokens=2560"

# The nodes share the cores of one machine: only what is far too slow counts.
LENIENT = "slurm.preflight={min_speed: 0.35, min_write_speed: 0.01, min_free_gib: 0.1}"

# Half a minute fast: what a node has whose clock nobody serves.
_FAST_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int status = real(clock, now);
    if (clock == CLOCK_REALTIME) now->tv_sec += 30;
    return status;
}
"""

# Python; on node2 what `bad` says comes first. Throttled: once torch is loaded, it runs a seventh of the time.
_PYTHON = """#!/bin/bash
[ "$(hostname)" = node2 ] || exec {python} "$@"
{bad}
{python} "$@" & work=$!
if [ -n "$THROTTLED" ]; then
  until grep -q libtorch_cpu /proc/$work/maps 2>/dev/null || ! kill -0 $work 2>/dev/null; do sleep 0.1; done
  while kill -STOP $work 2>/dev/null; do sleep 0.12; kill -CONT $work; sleep 0.02; done
fi
wait $work
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Three nodes."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    with new_cluster(nodes=3) as cluster:
        on_path(cluster, monkeypatch)
        yield cluster


def nodes_with(bad: str, root: Path, site: str = "") -> tuple[str, ...]:
    """Overrides of a run on nodes of which node2 does `bad` before it starts Python."""
    python = root / "python"
    python.write_text(_PYTHON.format(python=shlex.quote(sys.executable), bad=bad))
    python.chmod(0o755)
    (root / "site.yaml").write_text(f"python: {python}\n{site}")
    return f"slurm.site={root}/site.yaml", LENIENT, SHORT


def old_torch(root: Path) -> str:
    """What a node says that has an installation of its own, which nobody brought up to date."""
    folder = root / "old" / "torch-2.1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.1.0\n")
    return f'export PYTHONPATH="{folder.parent}:$PYTHONPATH"'


def test_a_bad_node_is_named_for_all_that_is_wrong_and_training_ends_on_the_others(
    tmp_path: Path, cluster: Cluster, packed: NewPlace
) -> None:
    if (compiler := shutil.which("cc")) is None:
        pytest.skip("no C compiler, for a clock that is wrong")
    (tmp_path / "clock.c").write_text(_FAST_CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / "clock.so", tmp_path / "clock.c"], check=True)
    bad = f"{old_torch(tmp_path)}; export LD_PRELOAD={tmp_path}/clock.so; THROTTLED=yes"
    run = packed("run", *nodes_with(bad, tmp_path))
    (tmp_path / "run" / "slurm" / "preflight").mkdir(parents=True)
    # Its way to the file system is another one.
    cluster.inside("node2", "mount", "-t", "tmpfs", "tmpfs", f"{tmp_path}/run/slurm/preflight")
    run.submit()
    run.until_over()
    train = run.status()["train"]
    assert run.model(), run.log()
    assert list(train["excluded"]) == ["node2"]
    reason = train["excluded"]["node2"]
    for part in (
        "torch 2.1.0, the others have ",
        "its clock is 30.",
        "does not share the run directory with node1",
        "matrix product: ",
        "copy in memory: ",
    ):
        assert part in reason
    assert train["nodes"] == "node[1,3]"
    assert train["restarts"] == 1
    log = Path(train["log"]).read_text()
    assert f"tsugiki: training begins again without node2; node2: {reason}" in log
    assert "2 node(s) are as they must be: matrix product " in log
    assert f"left out: node2: {reason}" in run.does("status")


def test_where_too_few_nodes_are_left_the_chain_stops_with_the_reason(
    tmp_path: Path, cluster: Cluster, packed: NewPlace
) -> None:
    three = ("slurm.nodes=3", "pretrain.batch_tokens=192", "pretrain.stages.all.tokens=1920")
    run = packed("run", *nodes_with(old_torch(tmp_path), tmp_path), *three)
    run.submit()
    run.until_over()
    found = run.status()
    assert found["train"]["state"] == "stopped", run.log()
    reason = found["train"]["reason"]
    assert reason.startswith("too few nodes are left: 2 of the partition, slurm.nodes is 3; left out: node2: torch 2.1")
    assert found["train"]["last_lines"][-1] == f"tsugiki: training does not go on: {reason}"
    assert found["export"]["state"] == "cancelled"


def test_where_a_site_forbids_requeue_the_next_job_of_the_chain_leaves_the_node_out(
    tmp_path: Path, cluster: Cluster, packed: NewPlace
) -> None:
    run = packed("run", *nodes_with(old_torch(tmp_path), tmp_path, "requeue: false\n"), "slurm.jobs=3")
    jobs = run.submit()["train"]
    run.until_logged("2 node(s) are as they must be")
    # Of a job that is ending Slurm tells only the nodes that are not done with it yet.
    given = [
        next(word for word in cluster.ask("scontrol", "show", "job", job).split() if word.startswith("NodeList="))
        for job in jobs[:2]
    ]
    run.does("cancel")
    assert given == ["NodeList=node[1-2]", "NodeList=node[1,3]"]
    assert list(run.status()["train"]["excluded"]) == ["node2"]


def test_by_hand_it_looks_at_the_nodes_of_the_allocation(tmp_path: Path, packed: NewPlace) -> None:
    run = packed("run", *nodes_with(old_torch(tmp_path), tmp_path))
    (line,) = "".join(blocks("bash")).splitlines()
    allocation, _, wrapped = line.replace("--nodes=4", "--nodes=2").partition(" --wrap ")
    assert wrapped == f'"tsugiki slurm preflight {FIRST}"'
    command = shlex.join([sys.executable, "-m", "tsugiki", "slurm", "preflight", *run.words, "--json"])
    faults = {}
    for nodes in ("node[1,3]", "node[1-2]"):
        said = tmp_path / f"{nodes}.json"
        to_files = ["--wait", f"--nodelist={nodes}", f"--chdir={REPOSITORY}", f"--output={said}", "--error=/dev/null"]
        submitted = subprocess.run([*shlex.split(allocation), *to_files, f"--wrap={command}"], check=False)
        faults[nodes] = json.loads(said.read_text())["faults"]
        assert submitted.returncode == (1 if faults[nodes] else 0)
    assert faults["node[1,3]"] == {}
    assert list(faults["node[1-2]"]) == ["node2"]
    assert faults["node[1-2]"]["node2"][0].startswith("torch 2.1.0, the others have ")
    assert not (run.folder / "excluded.json").exists()
