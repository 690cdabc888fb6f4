"""A cluster for the tests, where this machine can have one."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.slurm.cluster import NEEDS, Cluster


def why_not() -> str | None:
    """Why no cluster can be started here, if none can."""
    if os.geteuid() != 0:
        return "a cluster of namespaces needs root"
    missing = [name for name in NEEDS if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurm-wlm munge iproute2"
    probe = ["unshare", "--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "true"]
    return None if subprocess.run(probe, capture_output=True, check=False).returncode == 0 else "no namespaces here"


@contextmanager
def new_cluster(nodes: int) -> Iterator[Cluster]:
    """One for a test or for all of them, which are skipped where there can be none."""
    if (why := why_not()) is not None:
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="tsugiki-slurm-") as folder:
        Path(folder).chmod(0o755)
        with Cluster(Path(folder), nodes) as cluster:
            yield cluster


def on_path(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Slurm's commands speak to it."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
