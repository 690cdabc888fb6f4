"""The corpus on a real Slurm: by one job or by an array of them, with nodes that die in the middle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from configs.journal import JOURNAL
from tests.corpus.corpora import bytes_of
from tests.slurm.cluster import Cluster
from tests.slurm.place import Place, lose
from tests.tiny import write_base, write_documents, write_run_file
from tsugiki.__main__ import main

pytestmark = pytest.mark.slurm

SMALL_TASKS = "corpus.limits.task_bytes=4000"
REPOSITORY = Path(__file__).parents[2]

OnCluster = Callable[..., Place]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of many small tasks that was made on this machine."""
    root = tmp_path_factory.mktemp("texts")
    write_base(root / "base")
    write_documents(root, 250)
    run_file = write_run_file(root)
    assert main(["corpus", "build", str(run_file), "--set", SMALL_TASKS]) == 0
    return root


@pytest.fixture
def on_cluster(local: Path, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> OnCluster:
    """The same texts, where nothing is done yet; the chain after the corpus waits for ever."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return lambda *words: Place(local / "run.yaml", cluster, f"run.dir={tmp_path}/run", SMALL_TASKS, *words)


def submitted(run: Place) -> list[str]:
    """The corpus alone; gives its jobs."""
    jobs = run.submit()
    run.cluster.ask("scancel", *(job for stage, numbers in jobs.items() if stage != "corpus" for job in numbers))
    return jobs["corpus"]


def read_journal(directory: Path) -> list[dict[str, Any]]:
    """What happened to a directory so far, and on which machine."""
    journal = directory / JOURNAL
    return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def markers(run: Place) -> int:
    """Tasks that are done."""
    return len(list((run.run.run.dir / "corpus" / ".tasks").glob("*.json")))


def step_of(run: Place) -> psutil.Process:
    """A process that makes the corpus."""
    words = {"on-ray", f"run.dir={run.run.run.dir}"}
    # With the words asked for here, a process that ends meanwhile is left out.
    return [one for one in psutil.process_iter(["cmdline"]) if words <= set(one.info["cmdline"] or ())][-1]


def folder_of_ray(run: Place) -> Path:
    """For temporary files, of one of the nodes."""
    words = [word for one in step_of(run).children(recursive=True) for word in one.cmdline()]
    return Path(next(word for word in words if word.startswith("--temp-dir=")).partition("=")[2]).parent


def assert_the_same(run: Place, local: Path) -> None:
    """Every byte is that of the corpus that was made here."""
    assert run.status()["corpus"]["state"] == "complete", run.log()
    made, right = bytes_of(run.run.run.dir / "corpus"), bytes_of(local / "run" / "corpus")
    assert made.keys() == right.keys()
    assert {name for name in right if made[name] != right[name]} == set()


@pytest.mark.parametrize(
    "how", [pytest.param("failed", marks=pytest.mark.slow), pytest.param("killed", marks=pytest.mark.soak)]
)
def test_an_array_makes_the_corpus_and_loses_nothing_with_a_node(
    local: Path, on_cluster: OnCluster, tmp_path: Path, how: str
) -> None:
    """Of three, on two nodes that one of them takes whole; the dead node stays away."""
    (tmp_path / "site.yaml").write_text("options: [--exclusive]\n")
    run = on_cluster("slurm.corpus_jobs=3", f"slurm.site={tmp_path}/site.yaml")
    array, last = submitted(run)
    corpus = run.run.run.dir / "corpus"
    run.until(lambda: markers(run) > 10 and "node2" in [line["host"] for line in read_journal(corpus)])
    lose(run.cluster, how, "node2")
    assert markers(run) < 100
    run.until_over()
    assert_the_same(run, local)
    log_of = {path.name.removesuffix("-corpus.log"): path.read_text() for path in run.folder.glob("*-corpus.log")}
    assert log_of.keys() == {f"{array}_{k}" for k in range(3)} | {last}
    assert all("all tasks are done" in log_of[f"{array}_{k}"] for k in range(3))
    hosts = [(line["event"], line["host"]) for line in read_journal(corpus)]
    assert hosts.count(("started", "node2")) == 1
    assert hosts.count(("started", "node1")) == 4
    assert hosts[-1] == ("finished", "node1")


@pytest.mark.soak
@pytest.mark.parametrize("how", ["failed", "killed"])
def test_one_job_makes_the_corpus_and_goes_on_after_its_node(local: Path, on_cluster: OnCluster, how: str) -> None:
    run = on_cluster()
    submitted(run)
    run.until(lambda: markers(run) > 10)
    node = run.status()["corpus"]["nodes"]
    lose(run.cluster, how, node)
    run.until_over()
    assert run.status()["corpus"]["restarts"] == 1
    assert_the_same(run, local)


@pytest.fixture
def on_ray(on_cluster: OnCluster) -> Callable[..., tuple[Place, str]]:
    """A Ray cluster of two nodes in the middle of its work, and the number of its job."""

    def started(*words: str) -> tuple[Place, str]:
        run = on_cluster("corpus.engine=ray", "slurm.corpus_jobs=2", *words)
        (job,) = submitted(run)
        run.until(lambda: markers(run) > 10)
        assert run.status()["corpus"]["nodes"] == "node[1-2]"
        return run, job

    return started


@pytest.mark.soak
@pytest.mark.parametrize("how", ["failed", "killed"])
def test_a_ray_cluster_that_loses_a_worker_node_goes_on_in_the_same_job(
    local: Path, on_ray: Callable[..., tuple[Place, str]], how: str
) -> None:
    run, job = on_ray()
    token = step_of(run).environ()["RAY_AUTH_TOKEN"]
    assert ("gcs_server", f"*:{10000 + int(job)}") in run.cluster.listeners("node1")
    lose(run.cluster, how, "node2")
    assert markers(run) < 100
    run.until_over()
    assert_the_same(run, local)
    assert run.status()["corpus"]["restarts"] == 0
    assert run.status()["corpus"]["jobs"] == [job]
    assert run.cluster.listeners("node1") == set()
    assert token not in (run.folder / f"{job}-corpus.log").read_text()
    assert token not in (run.folder / "1-corpus.sbatch").read_text()


@pytest.mark.soak
@pytest.mark.parametrize("how", ["failed", "killed"])
def test_a_ray_cluster_that_loses_its_first_node_begins_again(
    local: Path, on_ray: Callable[..., tuple[Place, str]], how: str
) -> None:
    """Where the job's script was, too; the other node says that it is gone."""
    run, job = on_ray()
    left = folder_of_ray(run)
    lose(run.cluster, how, "node1")
    run.until(lambda: run.status()["corpus"]["state"] == "waiting")
    run.cluster.start_node("node1")
    run.until_over()
    assert_the_same(run, local)
    assert run.status()["corpus"]["restarts"] == 1
    assert "node2: node1, the first node of the job, does not answer" in (run.folder / f"{job}-corpus.log").read_text()
    assert run.cluster.listeners("node1") == run.cluster.listeners("node2") == set()
    assert not left.exists()


@pytest.mark.soak
def test_a_ray_cluster_that_loses_its_first_node_ends_where_a_site_forbids_requeue(
    on_ray: Callable[..., tuple[Place, str]], tmp_path: Path
) -> None:
    (tmp_path / "site.yaml").write_text("requeue: false\n")
    run, _ = on_ray(f"slurm.site={tmp_path}/site.yaml")
    run.cluster.fail_node("node1")
    run.until_over()
    corpus = run.status()["corpus"]
    assert corpus["state"] == "cancelled"
    assert corpus["reason"] == "node1, the first node of the job, has died; submit the run again"
