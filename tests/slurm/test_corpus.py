"""The corpus on a real Slurm: by one job or by an array of them, with nodes that die in the middle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.corpus.corpora import bytes_of
from tests.slurm.cluster import Cluster
from tests.slurm.place import Place
from tests.tiny import write_base, write_documents, write_run_file
from tsugiki.__main__ import main

pytestmark = pytest.mark.slurm

SMALL_TASKS = "corpus.limits.task_bytes=4000"
ARRAY = "slurm.corpus_jobs=3"
REPOSITORY = Path(__file__).parents[2]

OnCluster = Callable[..., Place]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of many small tasks that was made on this machine."""
    root = tmp_path_factory.mktemp("texts")
    write_base(root / "base")
    write_documents(root, 600)
    run_file = write_run_file(root)
    assert main(["corpus", "build", str(run_file), "--set", SMALL_TASKS]) == 0
    return root


@pytest.fixture
def on_cluster(local: Path, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> OnCluster:
    """The same texts, where nothing is done yet; the chain after the corpus waits for ever."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return lambda *words: Place(local, cluster, f"run.dir={tmp_path}/run", SMALL_TASKS, *words)


def submitted(run: Place) -> list[str]:
    """The corpus alone; gives its jobs."""
    jobs = run.submit()
    run.cluster.ask("scancel", *(job for stage, numbers in jobs.items() if stage != "corpus" for job in numbers))
    return jobs["corpus"]


def markers(run: Place) -> int:
    """Tasks that are done."""
    return len(list((run.run.run.dir / "corpus" / ".tasks").glob("*.json")))


def assert_the_same(run: Place, local: Path) -> None:
    """Every byte is that of the corpus that was made here."""
    assert run.status()["corpus"]["state"] == "complete", run.log()
    made, right = bytes_of(run.run.run.dir / "corpus"), bytes_of(local / "run" / "corpus")
    assert made.keys() == right.keys()
    assert {name for name in right if made[name] != right[name]} == set()


@pytest.mark.slow
def test_an_array_makes_the_corpus_and_loses_nothing_with_a_node(local: Path, on_cluster: OnCluster) -> None:
    run = on_cluster(ARRAY)
    array, last = submitted(run)
    run.until(lambda: markers(run) > 30)
    assert not (run.run.run.dir / "corpus" / "manifest.json").exists()
    node = run.cluster.ask("squeue", "--noheader", f"--job={array}_1", "--format=%N").strip()
    run.cluster.fail_node(node)
    run.until(lambda: not (run.status()["corpus"]["state"] == "running" and node in run.status()["corpus"]["nodes"]))
    run.cluster.start_node(node)
    run.until_over()
    assert_the_same(run, local)
    logs = {path.name: path.read_text() for path in run.folder.glob("*-corpus.log")}
    assert logs.keys() == {f"{array}_{k}-corpus.log" for k in range(3)} | {f"{last}-corpus.log"}
    assert all("all tasks are done" in logs[f"{array}_{k}-corpus.log"] for k in range(3))
