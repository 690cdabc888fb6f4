"""Megatron checkpoints that are not as they must be: a message that says what, and never a half result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from torch.distributed.checkpoint.metadata import Metadata
from transformers import LlamaConfig

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert.megatron.source import open_megatron
from pretrain.convert.model import Model
from pretrain.convert.source import refuse_leftovers
from tests.pretrain.convert.megatron.models import CONFIGS, Made, assert_same, change_metadata, rename_tensors


def test_a_missing_file_is_named(folder: Path, llama: Made) -> None:
    (folder / "__1_0.distcp").unlink()

    with pytest.raises(UserError, match=r"__1_0\.distcp: missing"):
        open_megatron(folder, llama.model)


def test_a_file_that_was_cut_short_is_named(folder: Path, llama: Made) -> None:
    file = folder / "__0_0.distcp"
    os.truncate(file, file.stat().st_size - 1)

    with pytest.raises(UserError, match=r"__0_0\.distcp: cut short"):
        open_megatron(folder, llama.model)


def test_a_file_that_is_longer_is_none_of_our_business(folder: Path, llama: Made) -> None:
    with (folder / "__0_0.distcp").open("ab") as file:
        file.write(b"more")

    assert_same(open_megatron(folder, llama.model), llama)


def test_an_archive_that_was_written_over_is_named(folder: Path, llama: Made) -> None:
    file = folder / "__1_0.distcp"
    file.write_bytes(b"\0" * file.stat().st_size)

    source = open_megatron(folder, llama.model)

    with pytest.raises(UserError, match=r"__1_0\.distcp at byte [\d,]+: damaged"):
        source.read("model.embed_tokens.weight", Box.whole((131, 24)), "master")


def test_a_save_without_metadata_did_not_end(folder: Path, llama: Made) -> None:
    (folder / ".metadata").unlink()

    with pytest.raises(UserError, match=r"has no \.metadata, .* the save failed"):
        open_megatron(folder, llama.model)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_metadata_that_was_cut_short_is_named(folder: Path, llama: Made, cut: int) -> None:
    whole = (folder / ".metadata").read_bytes()
    (folder / ".metadata").write_bytes(whole[:cut])

    with pytest.raises(UserError, match=r"\.metadata: damaged"):
        open_megatron(folder, llama.model)


def test_a_file_outside_of_the_folder_is_not_read(folder: Path, llama: Made) -> None:
    def lead_out(metadata: Metadata) -> None:
        for info in metadata.storage_data.values():
            info.relative_path = f"../iter_0000005/{info.relative_path}"

    change_metadata(folder, lead_out)

    with pytest.raises(UserError, match=r"names a file outside of its folder, '\.\./iter_0000005/__0_0\.distcp'"):
        open_megatron(folder, llama.model)


def test_a_tensor_that_is_not_there_is_named(folder: Path, llama: Made) -> None:
    def forget(metadata: Metadata) -> None:
        for before in ("", "optimizer.state.param."):
            del metadata.state_dict_metadata[f"{before}decoder.final_layernorm.weight"]

    change_metadata(folder, forget)

    with pytest.raises(UserError, match=r"it has no model\.norm\.weight"):
        refuse_leftovers(open_megatron(folder, llama.model).shapes, llama.model, folder)


def test_a_chunk_that_is_not_there_is_named(folder: Path, llama: Made) -> None:
    def forget(metadata: Metadata) -> None:
        for before in ("", "optimizer.state.param."):
            tensor: Any = metadata.state_dict_metadata[f"{before}decoder.layers.mlp.linear_fc2.weight"]
            del tensor.chunks[0]

    change_metadata(folder, forget)

    with pytest.raises(UserError, match=r"layers\.0\.mlp\.down_proj\.weight \(master\): 480 of 960 numbers are there"):
        open_megatron(folder, llama.model)


def test_a_tensor_without_a_place_is_named(folder: Path, llama: Made) -> None:
    rename_tensors(folder, lambda key: key.replace("mlp.linear_fc2.weight", "mlp.linear_fc3.weight"))

    with pytest.raises(UserError, match=r"no place for decoder\.layers\.mlp\.linear_fc3\.weight.*--model"):
        open_megatron(folder, llama.model)


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        pytest.param({"intermediate_size": 48}, r"linear_fc1\.weight is \[80, 24\], .* needs \[96, 24\]", id="width"),
        pytest.param({"num_hidden_layers": 3}, r"no place for decoder\.layers\.", id="fewer layers"),
        pytest.param({"vocab_size": 140}, r"word_embeddings\.weight is \[131, 24\], .* needs \[140, 24\]", id="words"),
        pytest.param({"num_key_value_heads": 3}, r"linear_qkv\.weight is \[40, 24\]", id="heads"),
        pytest.param({"tie_word_embeddings": True}, r"no place for output_layer\.weight", id="tied"),
    ],
)
def test_another_shape_is_named(folder: Path, other: dict[str, Any], complaint: str, tmp_path: Path) -> None:
    LlamaConfig(**{**CONFIGS["llama"].to_dict(), **other}).save_pretrained(tmp_path / "other")
    model = Model.of(tmp_path / "other")

    with pytest.raises(UserError, match=complaint):
        open_megatron(folder, model)


def test_a_model_with_more_layers_names_those_that_are_missing(folder: Path, tmp_path: Path) -> None:
    LlamaConfig(**{**CONFIGS["llama"].to_dict(), "num_hidden_layers": 5}).save_pretrained(tmp_path / "other")
    model = Model.of(tmp_path / "other")

    with pytest.raises(UserError, match=r"it has no model\.layers\.4\."):
        refuse_leftovers(open_megatron(folder, model).shapes, model, folder)
