from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, PretrainedConfig

from configs.artifact import Artifact
from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert.convert import convert
from pretrain.convert.detect import open_source
from pretrain.convert.find_model import find_model
from pretrain.convert.model import Model
from pretrain.convert.target import Options
from pretrain.models.family import SUPPORTED
from tests.pretrain.models.test_family import config

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64, "rope_theta": 5e5}
AWKWARD = [
    pytest.param({}, id="untied"),
    pytest.param({"tie_word_embeddings": True}, id="tied"),
    pytest.param({"vocab_size": 131, "hidden_size": 30, "head_dim": 10}, id="odd vocabulary, wide heads"),
    pytest.param({"num_key_value_heads": 1, "rope_parameters": YARN, "max_position_embeddings": 256}, id="yarn"),
]


def write_folder(folder: Path, settings: PretrainedConfig, dtype: torch.dtype = torch.float32, **save: Any) -> Path:
    """An HF folder as transformers writes it, with what lies beside weights and tokenizer-like files."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(settings, dtype=dtype)
    for parameter in model.parameters():  # all distinct, norms too
        parameter.data.normal_()
    model.save_pretrained(folder, **save)
    (folder / "tokenizer.json").write_bytes(b'{"version": "1.0",\r\n "odd": "\xe7\x8c\xab"}')
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m.content }}{% endfor %}")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool.jinja").write_text("tool")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Every file but what a conversion says of itself."""
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if name not in ("manifest.json", "plan.json")}


@pytest.mark.parametrize("model_type", SUPPORTED)
@pytest.mark.parametrize("changes", AWKWARD)
@pytest.mark.parametrize("dtype", DTYPES)
def test_there_and_back_every_file_is_the_same(
    tmp_path: Path, model_type: str, changes: dict[str, Any], dtype: str
) -> None:
    folder = write_folder(tmp_path / "in", config(model_type, **changes), DTYPES[dtype])
    convert(folder, "checkpoint", tmp_path / "checkpoint", Options())
    convert(tmp_path / "checkpoint", "hf", tmp_path / "out", Options())
    assert files(tmp_path / "out") == files(folder)


@pytest.mark.parametrize("size", ["10KB", 20_000, "1GB"])
def test_shards_and_index_are_those_of_transformers(tmp_path: Path, size: str | int) -> None:
    settings = config("qwen2")
    folder = write_folder(tmp_path / "in", settings)
    theirs = write_folder(tmp_path / "theirs", settings, max_shard_size=size)
    convert(folder, "hf", tmp_path / "out", Options(max_shard_size=size))
    assert files(tmp_path / "out") == files(theirs)
    assert (len(list(theirs.glob("*.safetensors"))) > 1) == (size != "1GB")


def test_tensors_of_several_number_formats_lie_as_the_library_puts_them(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    tensors = load_file(folder / "model.safetensors")
    mixed = {name: one.to(list(DTYPES.values())[number % 3]) for number, (name, one) in enumerate(tensors.items())}
    save_file(mixed, folder / "model.safetensors", metadata={"format": "pt"})
    convert(folder, "checkpoint", tmp_path / "checkpoint", Options())
    convert(tmp_path / "checkpoint", "hf", tmp_path / "out", Options())
    assert files(tmp_path / "out") == files(folder)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_asked_number_format_is_torchs_rounding_and_the_config_says_it(tmp_path: Path, dtype: str) -> None:
    folder = write_folder(tmp_path / "in", config("qwen3"))
    convert(folder, "hf", tmp_path / "out", Options(dtype=dtype))
    before, after = (load_file(path / "model.safetensors") for path in (folder, tmp_path / "out"))
    assert all(torch.equal(before[name].to(DTYPES[dtype]), after[name]) for name in before)
    assert {one.dtype for one in after.values()} == {DTYPES[dtype]}
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").dtype == DTYPES[dtype]


def test_a_number_beyond_the_range_of_the_format_is_refused_and_the_largest_within_is_not(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    tensors = load_file(folder / "model.safetensors")
    for largest in (65504.0, 65520.0):
        tensors["model.norm.weight"][3] = largest
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        if largest == 65504.0:
            convert(folder, "hf", tmp_path / "out", Options(dtype="float16"))
    with pytest.raises(UserError, match=r"model\.norm\.weight: holds 65520, beyond the range of float16 \(65504\)"):
        convert(folder, "hf", tmp_path / "beyond", Options(dtype="float16"))
    assert not (tmp_path / "beyond").exists()


@pytest.mark.parametrize("parameters", [YARN, {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}])
def test_transformers_finds_the_scaling_of_rope_in_what_comes_back(tmp_path: Path, parameters: dict[str, Any]) -> None:
    folder = write_folder(tmp_path / "in", config("llama", rope_parameters=parameters, max_position_embeddings=256))
    convert(folder, "checkpoint", tmp_path / "checkpoint", Options())
    convert(tmp_path / "checkpoint", "hf", tmp_path / "out", Options(dtype="bfloat16"))
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "out").config.rope_parameters
    assert {key: found[key] for key in parameters} == parameters


def test_a_config_of_transformers_4_keeps_its_names(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    settings = json.loads((folder / "config.json").read_text())
    del settings["rope_parameters"]
    del settings["dtype"]
    scaling = {"type": "linear", "factor": 2.0}
    settings |= {"rope_scaling": scaling, "rope_theta": 2e4, "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(settings))
    convert(folder, "hf", tmp_path / "out", Options(dtype="float16"))
    assert json.loads((tmp_path / "out" / "config.json").read_text()) == settings | {"torch_dtype": "float16"}


def test_box_by_box_equals_whole(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("qwen2"), torch.bfloat16)
    convert(folder, "checkpoint", tmp_path / "checkpoint", Options())
    whole = load_file(folder / "model.safetensors")
    for path in (folder, tmp_path / "checkpoint"):
        source = open_source(path, Model.of(folder))
        assert dict(source.shapes) == {name: tuple(one.shape) for name, one in whole.items()}
        for name, tensor in whole.items():
            for box in (Box.whole(tensor.shape), Box((3,) * tensor.ndim, (1,) * tensor.ndim)):
                assert torch.equal(source.read(name, box, "master"), tensor[box.slices])
        source.close()


def test_a_checkpoint_of_a_conversion_verifies_and_says_what_it_is(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    convert(folder, "checkpoint", tmp_path / "a", Options())
    convert(folder, "checkpoint", tmp_path / "b", Options())
    made = Artifact.open(tmp_path / "a", check="sha256")
    assert made.manifest["config"]["belongs_to"] == {"converted_from": "hf"}
    assert (made.counts["step"], made.counts["ranks"]) == (0, 1)
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()
    assert Path(find_model("checkpoint", tmp_path / "a", None).folder) == tmp_path / "a" / "hf"


def test_the_same_command_again_finds_the_result_and_another_does_not_overwrite_it(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    out = tmp_path / "out"
    out.mkdir()
    assert not convert(folder, "hf", out, Options()).complete_before
    before = (out / "model.safetensors").stat().st_mtime_ns
    assert convert(folder, "hf", out, Options()).complete_before
    assert (out / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(UserError, match=r"out: is there already, and not from this input as it is now with these opt"):
        convert(folder, "hf", out, Options(dtype="bfloat16"))
    (folder / "chat_template.jinja").touch()
    with pytest.raises(UserError, match=r"is there already"):
        convert(folder, "hf", out, Options())


def test_options_of_other_formats_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    for size in ("lots", "5", "0GB", "-5GB"):
        with pytest.raises(UserError, match=f"--max-shard-size {size}: expected a number and KB, MB, GB or TB"):
            convert(folder, "hf", tmp_path / "out", Options(max_shard_size=size))
    for to, options, complaint in (
        ("hf", Options(tp=2), "--tp says nothing about --to hf"),
        (
            "checkpoint",
            Options(dtype="bfloat16"),
            "--dtype says nothing about --to checkpoint; its numbers are float32",
        ),
        ("megatron", Options(zero=3), "--zero says nothing about --to megatron"),
        ("deepspeed", Options(max_shard_size="1GB"), "--max-shard-size says nothing about --to deepspeed"),
    ):
        with pytest.raises(UserError, match=complaint):
            convert(folder, to, tmp_path / "out", options)  # type: ignore[arg-type]  # a Format
