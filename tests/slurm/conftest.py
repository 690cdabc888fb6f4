"""A Slurm cluster for the tests that need one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, why_not


@pytest.fixture(scope="session")
def _cluster() -> Iterator[Cluster]:
    if (why := why_not()) is not None:
        pytest.skip(why)
    folder = Path(tempfile.mkdtemp(prefix="tsugiki-slurm-"))
    folder.chmod(0o755)
    with Cluster(folder) as cluster:
        yield cluster
    shutil.rmtree(folder)


@pytest.fixture
def cluster(_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two nodes with eight GPUs each, where no job is left afterwards; Slurm's commands are on the PATH."""
    for name, value in _cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield _cluster
    _cluster.ask("scancel", "--user=root")
    _cluster.wake_nodes()
