"""A Ray cluster for one corpus: this program runs once on each node, and the first of them builds.

The cluster has the ports and folders of its own, and ends with the work. RAY_AUTH_TOKEN and RAY_AUTH_MODE=token, the
same on all nodes, keep others out.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from configs.artifact import MANIFEST
from configs.errors import UserError
from configs.schema.run import Run
from corpus.build import build_corpus
from corpus.ray_folder import ray_folder
from corpus.stage import corpus_dir

_log = logging.getLogger(__name__)

_OBJECTS_BYTES = 100_000_000
"""Memory for what tasks give each other, which is little: they leave files."""
_TO_BEGIN_S, _TO_END_S, _LOOKS_EVERY_S = 300, 10, 1.0
_GONE_AFTER_LOOKS = 3


def build_on_ray(run: Run, node: int, head: str, port: int) -> None:
    """Take part in making the corpus; returns when it is made.

    Args:
        node: number of this one; 0 is the head.
        head: name or address of the head.
    Raises:
        UserError: as `build_corpus`, on the head; on other nodes if the head goes before the corpus is complete, or Ray
            ends there.
    """
    address = socket.gethostbyname(head)
    if node == 0:
        options = ["--head", f"--port={port}", "--include-dashboard=false"]
        if find_spec("grpc") is not None:
            # Where it is, Ray listens at one more port: 10001, which could be ours, or another cluster's on this node.
            options.append(f"--ray-client-server-port={_free_port(address)}")
        with _ray_node(address, options) as process:
            _await_head(address, port, process)
            os.environ["RAY_ADDRESS"] = f"{address}:{port}"
            build_corpus(run)
        return
    _await_head(address, port, None)
    with _ray_node(_own_address(address, port), [f"--address={address}:{port}"]) as process:
        misses = 0
        while misses < _GONE_AFTER_LOOKS and process.poll() is None:
            time.sleep(_LOOKS_EVERY_S)
            misses = 0 if _answers(address, port) else misses + 1
    if (corpus_dir(run) / MANIFEST).exists():
        return
    if _answers(address, port):
        raise UserError("Ray has ended on this node; the others do its tasks")
    raise UserError(f"the head of the Ray cluster, {head}, has gone before the corpus was complete; see its log")


@contextmanager
def _ray_node(address: str, options: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A node of the cluster on this machine, with all CPUs that the allocation gives."""
    always = {
        "node-ip-address": address,
        "num-cpus": len(os.sched_getaffinity(0)),
        "object-store-memory": _OBJECTS_BYTES,
        "min-worker-port": 0,
        "max-worker-port": 0,
        "dashboard-agent-listen-port": 0,
        "include-log-monitor": "false",
    }
    words = [*options, *(f"--{name}={value}" for name, value in always.items()), "--disable-usage-stats", "--block"]
    with ray_folder() as folder:
        inner = folder / "r"  # Ray opens it to everybody; the folder around it stays its owner's
        with open(folder / "start.log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", f"--temp-dir={inner}", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield process
        finally:
            if process.poll() is not None:
                _log.warning("Ray ended by itself: %s", _last_line(folder / "start.log"))
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing is left of it, also where this is interrupted."""
    try:
        process.terminate()  # it ends what it has started
        with suppress(subprocess.TimeoutExpired):
            process.wait(_TO_END_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def _free_port(address: str) -> int:
    with socket.socket() as here:
        here.bind((address, 0))
        port: int = here.getsockname()[1]
    return port


def _await_head(address: str, port: int, process: subprocess.Popen[bytes] | None) -> None:
    ends = time.monotonic() + _TO_BEGIN_S
    while not _answers(address, port):
        if time.monotonic() > ends or (process is not None and process.poll() is not None):
            raise UserError(f"the head of the Ray cluster does not listen at {address}:{port}")
        time.sleep(_LOOKS_EVERY_S)


def _answers(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), timeout=5):
        return True
    return False


def _own_address(head: str, port: int) -> str:
    """Of this node, as the head sees it."""
    with socket.create_connection((head, port), timeout=5) as seen:
        address: str = seen.getsockname()[0]
    return address
