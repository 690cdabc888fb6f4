"""A Hugging Face folder that a conversion writes gets its name through the gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.export import Gate
from pretrain.convert import gate
from pretrain.convert.average import average
from pretrain.convert.convert import convert
from pretrain.convert.gate import read_texts
from pretrain.convert.target import Options
from tests.pretrain.convert.test_convert import files
from tests.tiny import write_base
from tsugiki.__main__ import main

WHOLE, LAYERS = Gate(greedy_tokens=8), Gate(whole_up_to_gb=0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder with a tokenizer."""
    return write_base(tmp_path_factory.mktemp("gate") / "base")


@pytest.fixture(scope="module")
def checkpoint(base: Path) -> Path:
    """It as a checkpoint."""
    convert(base, "checkpoint", base.parent / "checkpoint", Options())
    return base.parent / "checkpoint"


@pytest.mark.parametrize("settings", [WHOLE, LAYERS], ids=["whole", "layer by layer"])
@pytest.mark.parametrize("dtype", [None, "bfloat16"])
def test_a_conversion_passes_and_its_manifest_says_what_was_found(
    checkpoint: Path, base: Path, tmp_path: Path, settings: Gate, dtype: str | None
) -> None:
    report = convert(checkpoint, "hf", tmp_path / "out", Options(dtype=dtype), gate=settings)
    found = Artifact.open(tmp_path / "out").counts["gate"]
    assert report.gate == found
    assert found["failures"] == []
    assert 0 <= found["logits_max_abs_diff"] <= found["tolerance"]
    assert found["texts"] == 3
    assert (found["greedy"] is None) == (settings is LAYERS)
    assert (found["cast_max_abs_diff"] > 0) == (dtype is not None)
    if dtype is None:
        assert files(tmp_path / "out") == files(base)
    assert convert(checkpoint, "hf", tmp_path / "out", Options(dtype=dtype), gate=settings).complete_before


def test_a_folder_that_passed_no_gate_is_not_taken_for_one_that_did(checkpoint: Path, tmp_path: Path) -> None:
    convert(checkpoint, "hf", tmp_path / "out", Options())
    with pytest.raises(UserError, match="is there already"):
        convert(checkpoint, "hf", tmp_path / "out", Options(), gate=LAYERS)


def _weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * 1.01
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _one_bit(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"].view(torch.int32)[3] ^= 1
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _rope(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["rope_theta"] = config["rope_parameters"]["rope_theta"] = 5e5
    (folder / "config.json").write_text(json.dumps(config))


def _tokenizer(folder: Path) -> None:
    definition = json.loads((folder / "tokenizer.json").read_text())
    definition["model"]["merges"].pop()
    (folder / "tokenizer.json").write_text(json.dumps(definition))


def _no_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")


@pytest.mark.parametrize("settings", [WHOLE, LAYERS], ids=["whole", "layer by layer"])
@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        pytest.param(_weights, "weights: model.norm.weight has other values", id="one tensor one per cent larger"),
        pytest.param(_one_bit, "weights: model.norm.weight has other values", id="one bit"),
        pytest.param(_rope, "rope: ", id="another RoPE base"),
        pytest.param(_tokenizer, "tokenizer: text 3 has other ids", id="a merge is missing"),
        pytest.param(_no_tokenizer, "tokenizer: transformers cannot load it", id="no tokenizer"),
    ],
)
def test_a_folder_that_is_not_the_source_is_rejected_with_the_reason(
    checkpoint: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tamper: Callable[[Path], None],
    reason: str,
    settings: Gate,
) -> None:
    tokens = gate._tokens

    def tampered(folder: Path, *rest: Any) -> Any:
        tamper(folder)
        return tokens(folder, *rest)

    monkeypatch.setattr(gate, "_tokens", tampered)
    with pytest.raises(UserError, match=r"out\.rejected: the folder is not what the source holds: ") as raised:
        convert(checkpoint, "hf", tmp_path / "out", Options(), gate=settings)
    assert reason in str(raised.value)
    if tamper is _weights and settings is WHOLE:
        assert "logits differ by" in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["out.rejected"]
    assert any(reason in one for one in json.loads((tmp_path / "out.rejected" / "gate.json").read_text())["failures"])
    monkeypatch.undo()
    convert(checkpoint, "hf", tmp_path / "out", Options(), gate=settings)


def test_without_a_tokenizer_tokens_of_the_whole_vocabulary_are_compared(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "bare", ignore=shutil.ignore_patterns("tokenizer*"))
    report = convert(tmp_path / "bare", "hf", tmp_path / "out", Options(dtype="float16"), gate=LAYERS)
    assert report.gate is not None
    assert (report.gate["texts"], report.gate["tokens"]) == (0, 320)


def test_a_mean_passes_the_gate_too(base: Path, checkpoint: Path, tmp_path: Path) -> None:
    assert average([base, checkpoint], "hf", tmp_path / "out", Options(), gate=LAYERS).gate is not None


def test_the_command_asks_the_gate_unless_it_is_told_not_to(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps(["ポンプを止める。", "Stop."]))
    command = ["pretrain", "convert", str(base), "--to", "hf", "--json"]
    assert main([*command, "--out", str(tmp_path / "a"), "--gate-texts", str(texts)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["gate"]["texts"], report["gate"]["failures"], report["gate"]["greedy"]["prompts"]) == (2, [], 3)
    assert report["tensors"] == len(load_file(tmp_path / "a" / "model.safetensors"))
    assert report["bytes"] == sum(map(len, files(tmp_path / "a").values()))
    assert report["seconds"] > 0
    assert report["peak_memory_bytes"] > report["peak_memory_above_start_bytes"] >= 0
    assert main([*command, "--out", str(tmp_path / "b"), "--no-gate"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["gate"] is None
    assert f"--no-gate: nobody compares {tmp_path / 'b'} with its source" in said.err
    assert main([*command, "--out", str(tmp_path / "c"), "--no-gate", "--gate-texts", str(texts)]) == 1
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("text", ["{}", "[]", '["a", 1]', '[""]', "no JSON"])
def test_texts_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "texts.json").write_text(text)
    with pytest.raises(UserError, match=r"texts\.json: expected a JSON list of texts"):
        read_texts(tmp_path / "texts.json")
    with pytest.raises(UserError):
        read_texts(tmp_path / "nowhere.json")
