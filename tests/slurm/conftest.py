"""A Slurm cluster for the tests that need one, and runs on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.new_cluster import new_cluster, on_path
from tests.slurm.place import LONG, ModelOf, NewPlace, Place
from tests.tiny import tiny_run
from tsugiki.__main__ import main

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def _cluster() -> Iterator[Cluster]:
    with new_cluster(nodes=2) as cluster:
        yield cluster


@pytest.fixture
def cluster(_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """Two nodes with eight GPUs each, where no job is left afterwards; Slurm's commands are on the PATH."""
    on_path(_cluster, monkeypatch)
    yield _cluster
    _cluster.wake()
    _cluster.rest()


@pytest.fixture
def place(tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> NewPlace:
    """Where a run has everything to do."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    tiny_run(tmp_path)
    return lambda name, *words: Place(tmp_path / "run.yaml", cluster, f"run.dir={tmp_path}/{name}", *words)


@pytest.fixture(scope="session")
def _packed_root(tmp_path_factory: pytest.TempPathFactory, _cluster: Cluster) -> Path:
    root = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as alone:
        alone.setenv("OMP_NUM_THREADS", "1")
        tiny_run(root)
        first = Place(root / "run.yaml", _cluster, f"run.dir={root}/packed", *LONG)
        for noun, verb in (("corpus", "build"), ("tokenizer", "extend"), ("pretrain", "pack")):
            assert main([noun, verb, *first.words]) == 0
    return root


@pytest.fixture
def packed(_packed_root: Path, tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> NewPlace:
    """Where all is ready for training."""
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))

    def new(name: str, *words: str) -> Place:
        shutil.copytree(_packed_root / "packed", tmp_path / name)
        return Place(_packed_root / "run.yaml", cluster, f"run.dir={tmp_path}/{name}", *LONG, *words)

    return new


@pytest.fixture(scope="session")
def _calm_models() -> dict[tuple[str, ...], dict[str, str]]:
    return {}


@pytest.fixture
def calm_model(packed: NewPlace, _calm_models: dict[tuple[str, ...], dict[str, str]]) -> ModelOf:
    """What a run of these overrides exports that nobody disturbs; trained once."""

    def model_of(*words: str) -> dict[str, str]:
        if words not in _calm_models:
            calm = packed(f"calm-{len(_calm_models)}", *words)
            calm.submit()
            calm.until_over()
            _calm_models[words] = calm.model()
        return _calm_models[words]

    return model_of
