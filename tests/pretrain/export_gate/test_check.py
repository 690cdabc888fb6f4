"""The gate over real exported folders: what it reports of the cast and of greedy text, and the way for large models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.artifact import Artifact
from configs.schema.export import Gate
from configs.schema.run import Run
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.document_format import DocumentFormat
from pretrain.export import RoundedReader, export_model
from pretrain.export_gate.check import Trained, check
from pretrain.export_gate.result import GateResult
from pretrain.export_gate.texts import GateTexts
from pretrain.stage import checkpoints_dir, model_dir

WHOLE, LAYERS = Gate(), Gate(whole_up_to_gb=0)
FIRST_NEW_ROW = 320


@pytest.fixture(scope="module")
def exported(trained: Run) -> Run:
    """The trained run, exported in float32."""
    export_model(trained)
    return trained


def gate(run: Run, settings: Gate, *, tamper: Callable[[Path], None] | None = None, tmp_path: Path) -> GateResult:
    """What the gate finds of a copy of the exported folder."""
    folder = tmp_path / "hf"
    folder.mkdir()
    for path in (model_dir(run) / "hf").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    if tamper is not None:
        tamper(folder)
    counts = Artifact.open(checkpoints_dir(run)).counts
    reader = CheckpointReader(Artifact.open(checkpoints_dir(run) / counts["checkpoint"]), moments=False)
    form = DocumentFormat.from_folder(run.run.dir / "tokenizer" / "hf", run.pretrain.end_of_document)
    trained = Trained(Path(run.pretrain.base), RoundedReader(reader, torch.float32), None, reader.shapes)
    return check(folder, trained, form, GateTexts.of(settings.texts, form, FIRST_NEW_ROW), settings)


def test_layer_by_layer_the_same_is_found_as_of_the_whole_model(exported: Run, tmp_path: Path) -> None:
    none = Gate(greedy_tokens=0)
    layers, whole = tmp_path / "layers", tmp_path / "whole"
    layers.mkdir()
    whole.mkdir()
    found, expected = gate(exported, LAYERS, tmp_path=layers), gate(exported, none, tmp_path=whole)
    assert found.passed
    assert found.logits == expected.logits
    assert 0 < found.logits.max_abs_diff <= found.logits.tolerance
    assert found.greedy is None
    assert found.tokens == expected.tokens


def test_all_new_tokens_are_compared(exported: Run) -> None:
    form = DocumentFormat.from_folder(exported.run.dir / "tokenizer" / "hf", exported.pretrain.end_of_document)
    texts = GateTexts.of(("ポンプ",), form, FIRST_NEW_ROW)
    assert form.tokenizer.size > FIRST_NEW_ROW
    assert set(range(FIRST_NEW_ROW, form.tokenizer.size)) <= {one for text in texts.documents for one in text.ids}


def test_greedy_text_is_compared_token_by_token(exported: Run, tmp_path: Path) -> None:
    found = gate(exported, WHOLE, tmp_path=tmp_path)
    assert found.passed
    assert found.greedy is not None
    assert found.greedy.prompts == len(WHOLE.texts) + 1
    assert found.greedy.prompts <= found.greedy.tokens <= found.greedy.prompts * 64


def _other_values(name: str) -> Callable[[Path], None]:
    def tamper(folder: Path) -> None:
        weights = load_file(folder / "model.safetensors")
        weights[name] = weights[name].flip(0)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})

    return tamper


def _dropped(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize("settings", [pytest.param(WHOLE, id="whole"), pytest.param(LAYERS, id="layer by layer")])
def test_a_changed_tensor_is_named_and_seen_in_the_logits(exported: Run, tmp_path: Path, settings: Gate) -> None:
    name = "model.layers.0.mlp.down_proj.weight"
    found = gate(exported, settings, tamper=_other_values(name), tmp_path=tmp_path)
    assert f"weights: {name} has other values" in found.failures
    assert any(one.startswith("logits differ by") for one in found.failures) is (settings is WHOLE)


@pytest.mark.parametrize("settings", [pytest.param(WHOLE, id="whole"), pytest.param(LAYERS, id="layer by layer")])
def test_a_missing_tensor_is_named(exported: Run, tmp_path: Path, settings: Gate) -> None:
    found = gate(exported, settings, tamper=_dropped, tmp_path=tmp_path)
    assert "weights: model.layers.1.mlp.up_proj.weight is missing" in found.failures


def test_another_embedding_gives_another_greedy_text(exported: Run, tmp_path: Path) -> None:
    found = gate(exported, WHOLE, tamper=_other_values("model.embed_tokens.weight"), tmp_path=tmp_path)
    assert any("greedy tokens are others than the trained weights give" in one for one in found.failures)


def test_a_setting_against_repetition_does_not_make_greedy_text_another(exported: Run, tmp_path: Path) -> None:
    def tamper(folder: Path) -> None:
        path = folder / "generation_config.json"
        settings: dict[str, Any] = json.loads(path.read_text())
        path.write_text(json.dumps({**settings, "repetition_penalty": 5.0}))

    assert gate(exported, WHOLE, tamper=tamper, tmp_path=tmp_path).passed


def test_what_the_cast_does_is_told_and_is_no_failure(packed: Callable[..., Run], trained: Run) -> None:
    run = packed("export.dtype=bfloat16", "export.prompts=[]")
    checkpoints_dir(run).parent.mkdir(exist_ok=True)
    checkpoints_dir(run).symlink_to(checkpoints_dir(trained))
    export_model(run)
    found = Artifact.open(model_dir(run)).counts["gate"]
    assert found["cast_max_abs_diff"] > found["tolerance"] > found["logits_max_abs_diff"]
    assert found["cast_loss_nats"] != 0
    exact = json.loads((model_dir(trained) / "gate.json").read_text()) if model_dir(trained).exists() else None
    assert exact is None or exact["cast_max_abs_diff"] == 0
