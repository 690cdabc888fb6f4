"""Pickles that others wrote: what would run something is refused by name, and does not run."""

from __future__ import annotations

import argparse
import enum
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.metadata import Metadata

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert.megatron.source import open_megatron
from tests.pretrain.convert.megatron.models import Made, assert_same, change_metadata


class Evil:
    """Runs a command when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._trace}",)


def test_a_metadata_that_would_run_a_command_is_refused_by_name(folder: Path, llama: Made, tmp_path: Path) -> None:
    change_metadata(folder, lambda metadata: setattr(metadata, "planner_data", Evil(tmp_path / "trace")))

    with pytest.raises(UserError, match=r"\.metadata: this pickle asks for posix\.system, which is not on the list"):
        open_megatron(folder, llama.model)
    assert not (tmp_path / "trace").exists()


def test_a_common_pt_that_would_run_a_command_is_refused_by_name_with_the_way_out(
    folder: Path, llama: Made, tmp_path: Path
) -> None:
    torch.save({"iteration": 5, "args": Evil(tmp_path / "trace")}, folder / "common.pt")

    with pytest.raises(UserError, match=r"common\.pt: this pickle asks for posix\.system.* move it elsewhere"):
        open_megatron(folder, llama.model)
    assert not (tmp_path / "trace").exists()

    (folder / "common.pt").unlink()
    source = open_megatron(folder, llama.model)
    assert_same(source, llama)
    assert source.step == 0


def test_settings_of_megatrons_own_classes_in_common_pt_are_passed_over(
    folder: Path, llama: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ModelType(enum.Enum):
        DECODER = 1

    ModelType.__module__, ModelType.__qualname__ = "megatron.nowhere", "ModelType"
    with monkeypatch.context() as patch:
        for name in ("megatron", "megatron.nowhere"):
            patch.setitem(sys.modules, name, ModuleType(name))
        patch.setattr(sys.modules["megatron.nowhere"], "ModelType", ModelType, raising=False)
        args = argparse.Namespace(model_type=ModelType.DECODER, dtype=torch.bfloat16)
        torch.save({"iteration": 6, "args": args}, folder / "common.pt")

    assert open_megatron(folder, llama.model).step == 6
    assert "megatron.nowhere" not in sys.modules


def test_a_tensor_that_would_run_a_command_is_refused_by_name(folder: Path, llama: Made, tmp_path: Path) -> None:
    file = folder / "__0_0.distcp"
    pickle_file = tmp_path / "evil.pt"
    torch.save(Evil(tmp_path / "trace"), pickle_file)
    evil = pickle_file.read_bytes()

    def aim(metadata: Metadata) -> None:
        offset = file.stat().st_size
        with file.open("ab") as out:
            out.write(evil)
        index = next(
            one for one in metadata.storage_data if one.fqn == "optimizer.state.param.decoder.final_layernorm.weight"
        )
        metadata.storage_data[index].offset, metadata.storage_data[index].length = offset, len(evil)

    change_metadata(folder, aim)
    source = open_megatron(folder, llama.model)

    with pytest.raises(UserError, match=r"this pickle asks for posix\.system"):
        source.read("model.norm.weight", Box.whole((24,)), "master")
    assert not (tmp_path / "trace").exists()
