"""The corpus on a real Ray cluster of two nodes on this machine, one of which is lost."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from configs.errors import UserError
from corpus.on_ray import RayWorkers
from tests.corpus.corpora import REPOSITORY, bytes_of
from tests.tiny import write_base, write_documents, write_run_file
from tsugiki.__main__ import main

SMALL_TASKS = "corpus.limits.task_bytes=4000"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, and the corpus of them that this machine's processes made."""
    root = tmp_path_factory.mktemp("texts")
    write_base(root / "base")
    write_documents(root, 120)
    assert main(["corpus", "build", str(write_run_file(root)), "--set", SMALL_TASKS]) == 0
    return root


class Node:
    """A node of the cluster, and its processes."""

    def __init__(self, root: Path, run_dir: Path, number: int, port: int, token: str) -> None:
        words = [SMALL_TASKS, "corpus.engine=ray", f"run.dir={run_dir}"]
        command = [sys.executable, "-m", "corpus", "on-ray", str(root / "run.yaml")]
        command += [word for one in words for word in ("--set", one)]
        command += ["--node", str(number), "--head", "127.0.0.1", "--port", str(port)]
        self.log = run_dir.parent / f"node-{number}.log"
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def processes(self) -> list[psutil.Process]:
        """All that it has started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        """Those that do tasks."""
        return [one for one in self.processes() if "".join(one.cmdline()[:1]).startswith("ray::")]

    def crash(self) -> None:
        """End it with all that it has started."""
        for one in [psutil.Process(self.process.pid), *self.processes()]:
            one.kill()
        self.process.wait()


@contextmanager
def cluster(root: Path, run_dir: Path) -> Iterator[tuple[Node, Node]]:
    """Two nodes at work, of which none is left."""
    port, token = 10001, secrets.token_hex(16)  # which Ray takes for something else where it has not been told
    nodes = [Node(root, run_dir, number, port, token) for number in range(2)]
    try:
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            if node.process.poll() is None:
                node.crash()


def until(holds: Callable[[], object], nodes: tuple[Node, Node]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 500
    while not holds():
        assert time.monotonic() < deadline, "\n".join(node.log.read_text()[-3000:] for node in nodes)
        time.sleep(0.05)


@pytest.mark.slow
def test_a_worker_and_a_node_that_die_cost_no_byte(local: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"

    def tasks_done() -> int:
        return len(list((run_dir / "corpus" / ".tasks").glob("*.json")))

    with cluster(local, run_dir) as nodes:
        head, other = nodes
        until(lambda: head.process.poll() is not None or (tasks_done() > 5 and other.workers()), nodes)
        assert head.process.poll() is None, head.log.read_text()
        words = [word for one in head.processes() for word in one.cmdline()]
        folder = Path(next(word for word in words if word.startswith("--temp-dir=")).partition("=")[2])
        assert folder.parent.stat().st_mode & 0o777 == 0o700
        other.workers()[0].send_signal(signal.SIGKILL)
        until(lambda: tasks_done() > 25, nodes)
        other.crash()
        assert not (run_dir / "corpus" / "manifest.json").exists()
        started = head.processes()
        until(lambda: head.process.poll() is not None, nodes)
        assert head.process.returncode == 0, head.log.read_text()
        assert not [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    made, right = bytes_of(run_dir / "corpus"), bytes_of(local / "run" / "corpus")
    assert made.keys() == right.keys()
    assert {name for name in right if made[name] != right[name]} == set()


def test_without_a_cluster_it_is_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(UserError, match="no cluster is named; set RAY_ADDRESS"), RayWorkers(0):
        pass
