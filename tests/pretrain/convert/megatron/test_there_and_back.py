"""What is written as a Megatron checkpoint, read back without megatron-core."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import BytesStorageMetadata, Metadata, MetadataIndex
from transformers import LlamaConfig

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert.megatron.source import open_megatron
from pretrain.convert.model import Model
from pretrain.convert.source import refuse_leftovers
from tests.pretrain.convert.megatron.models import CONFIGS, Made, Models, assert_same, change_metadata, rename_tensors


@pytest.mark.parametrize("name", list(CONFIGS))
@pytest.mark.parametrize(("tp", "pp"), [(1, 1), (2, 1), (1, 2), (2, 2)])
def test_there_and_back_is_bitwise(models: Models, name: str, tp: int, pp: int, tmp_path: Path) -> None:
    made = models[name]
    if made.model.config.num_key_value_heads % tp:
        with pytest.raises(UserError, match="1 key/value heads by --tp 2"):
            made.write(tmp_path / "out", tp=tp, pp=pp)
        return
    made.write(tmp_path / "out", tp=tp, pp=pp, moments=True, step=9)

    source = open_megatron(tmp_path / "out" / "iter_0000009", made.model)

    refuse_leftovers(source.shapes, made.model, tmp_path)
    assert_same(source, made)
    assert (source.step, source.adam_steps) == (9, 9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_there_and_back_is_bitwise_in_half_the_bits(models: Models, dtype: torch.dtype, tmp_path: Path) -> None:
    made = models["tied"]
    made.write(tmp_path / "out", dtype=str(dtype).removeprefix("torch."))

    source = open_megatron(tmp_path / "out" / "release", made.model)

    assert not source.has_moments
    for name, tensor in made.tensors().items():
        assert torch.equal(source.read(name, Box.whole(tensor.shape), "master"), tensor.to(dtype))


def test_layer_norms_are_found_under_the_names_of_unfused_layers(folder: Path, llama: Made) -> None:
    other = {
        "self_attention.linear_qkv.layer_norm_weight": "input_layernorm.weight",
        "mlp.linear_fc1.layer_norm_weight": "pre_mlp_layernorm.weight",
    }

    def renamed(key: str) -> str:
        for fused, apart in other.items():
            key = key.replace(fused, apart)
        return key

    rename_tensors(folder, renamed)

    assert_same(open_megatron(folder, llama.model), llama)


def test_names_with_nemos_prefix_are_found(folder: Path, llama: Made) -> None:
    def renamed(key: str) -> str:
        before, dot, after = key.rpartition("decoder.")
        if dot:
            return f"{before}module.decoder.{after}"
        return key.replace("embedding.", "module.embedding.").replace("output_layer.", "module.output_layer.")

    rename_tensors(folder, renamed)

    assert_same(open_megatron(folder, llama.model), llama)


def test_the_number_of_steps_is_found_where_newer_versions_put_it(folder: Path, llama: Made) -> None:
    saved = io.BytesIO()
    torch.save([torch.load(folder / "common.pt")], saved)
    (folder / "common.pt").unlink()
    file = folder / "__0_0.distcp"
    offset = file.stat().st_size
    with file.open("ab") as out:
        out.write(saved.getvalue())

    def add(metadata: Metadata) -> None:
        metadata.state_dict_metadata["common_state/shard_0_1"] = BytesStorageMetadata()
        index = MetadataIndex("common_state/shard_0_1")
        metadata.storage_data[index] = _StorageInfo(file.name, offset, len(saved.getvalue()))

    assert open_megatron(folder, llama.model).step == 0
    change_metadata(folder, add)

    source = open_megatron(folder, llama.model)

    assert (source.step, source.adam_steps) == (5, 5)


def test_a_box_reads_no_more_than_its_rows(tmp_path: Path) -> None:
    shape = {**CONFIGS["llama"].to_dict(), "vocab_size": 40_000}
    LlamaConfig(**shape).save_pretrained(tmp_path / "hf")
    model = Model.of(tmp_path / "hf")
    save_file({f"param:{name}": torch.zeros(size) for name, size in model.shapes.items()}, tmp_path / "tensors")
    Made("large", model, tmp_path / "tensors").write(tmp_path / "out")
    source = open_megatron(tmp_path / "out" / "release", model)
    row = Box((39_999, 0), (1, 24))
    source.read("lm_head.weight", row, "master")  # now it is known where the tensor lies

    before = _bytes_read()
    source.read("lm_head.weight", row, "master")

    assert _bytes_read() - before < 10_000  # of 3,840,000


def _bytes_read() -> int:
    lines = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(lines["rchar"])


def test_a_layout_that_megatron_could_not_train_in_is_refused(llama: Made, tmp_path: Path) -> None:
    complaint = r"6 attention heads by --tp 4, 2 key/value heads by --tp 4, 4 layers by --pp 3"
    with pytest.raises(UserError, match=complaint):
        llama.write(tmp_path / "out", tp=4, pp=3)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("layout", [{"tp": 0}, {"pp": 0}, {"tp": -1}])
def test_a_layout_without_ranks_is_refused(llama: Made, layout: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="at least one rank"):
        llama.write(tmp_path / "out", **layout)


def test_files_that_are_there_are_kept_and_the_rest_is_the_same(llama: Made, tmp_path: Path) -> None:
    whole = llama.write(tmp_path / "whole", tp=2, pp=2, moments=True, step=1)
    llama.write(tmp_path / "again", tp=2, pp=2, moments=True, step=1)
    removed = [tmp_path / "again" / "iter_0000001" / name for name in ("__2_0.distcp", ".metadata", "common.pt")]
    kept = tmp_path / "again" / "iter_0000001" / "__1_0.distcp"
    age = kept.stat().st_mtime_ns
    for file in removed:
        file.unlink()

    again = llama.write(tmp_path / "again", tp=2, pp=2, moments=True, step=1)

    assert again == whole
    assert kept.stat().st_mtime_ns == age
