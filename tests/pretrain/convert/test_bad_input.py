"""What is wrong with an input is named, and nothing has the name of the result."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.errors import UserError
from pretrain.checkpoint.identity import refuse_stranger
from pretrain.convert.convert import convert
from pretrain.convert.place import Place
from pretrain.convert.target import Options
from tests.pretrain.convert.test_convert import files, write_folder
from tests.pretrain.models.test_family import config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An HF folder in several shards."""
    return write_folder(tmp_path / "in", config("llama"), max_shard_size="10KB")


def refused(folder: Path, match: str, to: str = "checkpoint", model: Path | None = None) -> None:
    out = folder.parent / "refused"
    with pytest.raises(UserError, match=match):
        convert(folder, to, out, Options(), model)  # type: ignore[arg-type]  # a Format
    assert not list(out.parent.glob("refused*"))


def edit(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    """Put the folder's weights into one file, changed."""
    weights: dict[str, torch.Tensor] = {}
    for path in folder.glob("*.safetensors*"):
        weights |= load_file(path) if path.suffix == ".safetensors" else {}
        path.unlink()
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_missing_shard(folder: Path) -> None:
    sorted(folder.glob("*.safetensors"))[1].unlink()
    refused(
        folder,
        r"in: model-00002-of-0000\d\.safetensors is missing, though model\.safetensors\.index\.json names it; copy or",
    )


@pytest.mark.parametrize("text", ["{}", "[]", '{"weight_map": []}'])
def test_an_index_that_names_no_files(folder: Path, text: str) -> None:
    (folder / "model.safetensors.index.json").write_text(text)
    refused(
        folder, r"model\.safetensors\.index\.json: has no weight_map, which says where each tensor is; copy it again"
    )


def test_a_config_that_is_no_json_or_no_object(folder: Path) -> None:
    (folder / "config.json").write_text("{")
    refused(folder, r"config\.json: damaged, not JSON; copy it again")
    (folder / "config.json").write_text("[]")
    refused(folder, r"in: architecture None is not supported")


@pytest.mark.parametrize("text", ["[]", '{"files": 3}', '{"kind": "theirs"}'])
def test_a_manifest_of_another_program_says_nothing(folder: Path, tmp_path: Path, text: str) -> None:
    (folder / "manifest.json").write_text(text)
    assert convert(folder, "checkpoint", tmp_path / "out", Options()).source == "hf"


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        pytest.param(lambda data: data[:-1], r"bytes, its header says [\d,]+; it is not whole", id="one byte short"),
        pytest.param(lambda data: data + b"x", r"it is not whole", id="one byte too many"),
        pytest.param(lambda data: b"version https://git-lfs", r"damaged, or no safetensors file", id="an LFS pointer"),
        pytest.param(lambda data: b"", r"damaged, or no safetensors file", id="empty"),
        pytest.param(lambda data: data[:8] + b"[" + data[9:], r"its header makes no sense", id="header"),
        pytest.param(lambda data: data.replace(b"[24]", b"[23]", 1), r"its header makes no sense", id="a shape"),
    ],
)
def test_a_damaged_shard(folder: Path, damage: Callable[[bytes], bytes], complaint: str) -> None:
    path = next(path for path in sorted(folder.glob("*.safetensors")) if b"[24]" in path.read_bytes())
    path.write_bytes(damage(path.read_bytes()))
    refused(folder, rf"{path.name}: .*{complaint}")


def test_tensors_that_are_missing_left_over_or_of_another_shape_are_all_named(folder: Path) -> None:
    def change(weights: dict[str, torch.Tensor]) -> None:
        del weights["model.norm.weight"]
        weights["model.layers.0.self_attn.q_proj.bias"] = torch.zeros(24)
        weights["model.layers.1.mlp.up_proj.weight"] = torch.zeros(40, 25)

    edit(folder, change)
    refused(
        folder,
        r"does not fit .*config\.json: it has no model\.norm\.weight; the architecture has no place for "
        r"model\.layers\.0\.self_attn\.q_proj\.bias; model\.layers\.1\.mlp\.up_proj\.weight is \[40, 25\], "
        r"the architecture needs \[40, 24\]\. Name the folder",
    )


def test_a_config_of_another_model(folder: Path, tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other", config("llama", num_hidden_layers=1))
    refused(folder, r"the architecture has no place for model\.layers\.1\.", model=other)
    tied = write_folder(tmp_path / "tied", config("llama", tie_word_embeddings=True))
    refused(folder, r"lm_head\.weight differs from model\.embed_tokens\.weight, though config\.json says", model=tied)
    gpt = tmp_path / "gpt"
    gpt.mkdir()
    (gpt / "config.json").write_text('{"model_type": "gpt2"}')
    refused(folder, r"architecture 'gpt2' is not supported", model=gpt)


def test_a_tied_output_embedding_that_is_stored_too_is_left_out_if_it_is_the_same(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "tied", config("llama", tie_word_embeddings=True))
    before = files(folder)
    edit(folder, lambda weights: weights.update({"lm_head.weight": weights["model.embed_tokens.weight"].clone()}))
    assert files(folder) != before
    convert(folder, "hf", tmp_path / "out", Options())
    assert files(tmp_path / "out") == before


def test_stored_rotary_frequencies_of_old_checkpoints_are_left_out(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "old", config("llama"))
    before = files(folder)
    edit(folder, lambda weights: weights.update({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(2)}))
    convert(folder, "hf", tmp_path / "out", Options())
    assert files(tmp_path / "out") == before


def test_quantized_weights(folder: Path) -> None:
    edit(folder, lambda weights: weights.update({"model.norm.weight": torch.zeros(24, dtype=torch.int8)}))
    refused(folder, r"model\.norm\.weight is stored as I8; only F32, BF16, F16 are read")


def test_a_checkpoint_with_a_changed_byte_a_missing_file_or_no_manifest(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "checkpoint"
    convert(folder, "checkpoint", made, Options())
    part = made / "part-00000-000.safetensors"
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    refused(made, r"part-00000-000\.safetensors: its bytes changed since it was written", to="hf")
    part.rename(made / "part-elsewhere.safetensors")
    refused(made, r"part-00000-000\.safetensors: missing, though the manifest names it", to="hf")
    (made / "manifest.json").unlink()
    refused(made, r"is a checkpoint that is not whole, it has no manifest\.json, which is written last", to="hf")


def test_a_pointer_to_a_checkpoint_that_is_not_there(folder: Path, tmp_path: Path) -> None:
    for to, pointer in (("deepspeed", "latest"), ("megatron", "latest_checkpointed_iteration.txt")):
        made = tmp_path / to
        convert(folder, to, made, Options())  # type: ignore[arg-type]  # a Format
        (made / pointer).write_text("77")
        refused(made, rf"{pointer}: names '77', and no such checkpoint is here; copy it here", to="hf")


def test_a_checkpoint_of_which_nothing_says_the_model(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "checkpoint"
    convert(folder, "checkpoint", made, Options())
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["files"] = {name: one for name, one in manifest["files"].items() if not name.startswith("hf/")}
    (made / "manifest.json").write_text(json.dumps(manifest))
    (made / "hf").rename(tmp_path / "elsewhere")
    refused(made, r"nothing here says which model it is of; name a Hugging Face folder .*: --model DIR", to="hf")
    convert(made, "hf", tmp_path / "out", Options(), tmp_path / "elsewhere")
    assert load_file(tmp_path / "out" / "model.safetensors").keys()


def test_a_disk_that_fills_while_it_is_written_leaves_no_result_and_the_same_command_goes_on(
    tmp_path: Path, disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "in", config("llama", vocab_size=2000))
    full = disk("300k")
    options = Options(max_shard_size="200KB")
    with pytest.raises(
        UserError, match=r"out: takes 0\.4 MB, the file system has 0\.3 MB left; free some, or name ano"
    ):
        convert(folder, "hf", full / "out", options)
    with monkeypatch.context() as patch:
        patch.setattr(Place, "refuse_full_disk", lambda self, needed: None)  # as under a quota, which nobody sees
        with pytest.raises(UserError, match=r"no space left on the device; free some and run the same command again"):
            convert(folder, "hf", full / "out", options)
    assert not (full / "out").exists()
    assert not list(full.rglob(".*.partial"))
    disk("2m")
    convert(folder, "hf", full / "out", options)
    assert [path.name for path in full.iterdir()] == ["out"]
    convert(full / "out", "hf", tmp_path / "whole", Options())
    assert (tmp_path / "whole" / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_no_run_goes_on_from_a_checkpoint_that_a_conversion_made(folder: Path, tmp_path: Path) -> None:
    from configs.artifact import Artifact

    convert(folder, "checkpoint", tmp_path / "checkpoint", Options())
    with pytest.raises(UserError, match=r"was made by `pretrain convert` .* --to hf and name that folder as pretrain"):
        refuse_stranger(Artifact.open(tmp_path / "checkpoint"), {}, {"base": "a"}, {})
