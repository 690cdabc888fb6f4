"""The command, from and to Megatron: nothing but the folder is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert.convert import convert
from pretrain.convert.megatron.source import open_megatron
from pretrain.convert.target import Options
from tests.pretrain.convert.megatron.models import KINDS, Made, assert_same
from tests.tiny import write_base


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_hugging_face_folder_comes_back_from_megatron_byte_for_byte(tied: bool, tmp_path: Path) -> None:
    base = write_base(tmp_path / "base", tied=tied)

    there = convert(base, "megatron", tmp_path / "megatron", Options(tp=2, pp=2))
    back = convert(tmp_path / "megatron", "hf", tmp_path / "back", Options())

    assert there.tensors == back.tensors
    assert (tmp_path / "megatron" / "latest_checkpointed_iteration.txt").read_text() == "release"
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        assert (tmp_path / "back" / name).read_bytes() == (base / name).read_bytes()
    before, after = (load_file(folder / "model.safetensors") for folder in (base, tmp_path / "back"))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_moments_come_back_from_our_own_checkpoint(folder: Path, llama: Made, tmp_path: Path) -> None:
    convert(folder, "checkpoint", tmp_path / "checkpoint", Options(), llama.model.folder)
    convert(tmp_path / "checkpoint", "megatron", tmp_path / "again", Options(pp=4), llama.model.folder)

    source = open_megatron(tmp_path / "again" / "iter_0000005", llama.model)
    assert_same(source, llama)
    assert (source.step, source.adam_steps) == (5, 5)


def test_a_damaged_checkpoint_leaves_no_result(folder: Path, llama: Made, tmp_path: Path) -> None:
    file = folder / "__1_0.distcp"
    file.write_bytes(b"\0" * file.stat().st_size)

    with pytest.raises(UserError, match="damaged"):
        convert(folder, "hf", tmp_path / "out", Options(), llama.model.folder)

    assert not (tmp_path / "out").exists()


def test_a_part_of_megatrons_fused_tensors_is_read_alone(folder: Path, llama: Made) -> None:
    source = open_megatron(folder, llama.model)
    for kind in KINDS:
        tensors = llama.tensors(kind)
        for what, box in (
            ("self_attn.q_proj", Box((5, 3), (11, 20))),
            ("self_attn.v_proj", Box((3, 0), (2, 24))),
            ("mlp.up_proj", Box((17, 1), (9, 5))),
            ("mlp.down_proj", Box((0, 19), (24, 3))),
        ):
            name = f"model.layers.2.{what}.weight"
            assert torch.equal(source.read(name, box, kind), tensors[name][box.slices]), (name, kind)
