"""The run in small, brought as far as a test needs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.schema.run import Run
from corpus.build import build_corpus
from pretrain.pack import pack_tokens
from pretrain.train import train
from tests.pretrain.poison import GUARDS, trained_with_poison
from tests.tiny import tiny_run
from tokenizer.extend import extend_tokenizer

MakeRun = Callable[..., Run]


@pytest.fixture(scope="session")
def packed_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that is packed and not yet trained; do not change it."""
    root = tmp_path_factory.mktemp("tiny")
    run = tiny_run(root)
    build_corpus(run)
    extend_tokenizer(run)
    pack_tokens(run)
    return root


@pytest.fixture(scope="session")
def trained(packed_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run trained without disturbance, every checkpoint kept; do not change it."""
    run = _copy(packed_root, tmp_path_factory.mktemp("trained"), "pretrain.checkpoint.keep_last=9")
    train(run)
    return run


@pytest.fixture(scope="session")
def gone_back(packed_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run that met poisoned samples and went back; do not change it."""
    return trained_with_poison(_copy(packed_root, tmp_path_factory.mktemp("gone_back"), GUARDS))


@pytest.fixture
def packed(packed_root: Path, tmp_path: Path) -> MakeRun:
    """Makes a run of its own, packed and not yet trained, with overrides."""
    return lambda *overrides: _copy(packed_root, tmp_path, *overrides)


def _copy(packed_root: Path, place: Path, *overrides: str) -> Run:
    """The run in another directory; what was packed is copied, the documents and the base are shared."""
    run = tiny_run(packed_root, f"run.dir={place}/run", *overrides)
    if not run.run.dir.exists():
        shutil.copytree(packed_root / "run", run.run.dir)
    return run
