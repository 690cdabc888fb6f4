"""Whole Megatron checkpoints, written by the converter."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pretrain.convert.megatron.models import Made, Models


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def llama(models: Models) -> Made:
    return models["llama"]


@pytest.fixture
def folder(llama: Made, tmp_path: Path) -> Path:
    """A whole checkpoint of a Llama for two tensor ranks."""
    llama.write(tmp_path / "saved", tp=2, moments=True, step=5)
    return tmp_path / "saved" / "iter_0000005"
