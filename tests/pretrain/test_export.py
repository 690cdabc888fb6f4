from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.build import build_corpus
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.estimate.build import estimate
from pretrain.estimate.duration import Rates
from pretrain.export import export_model
from pretrain.export_gate import check as gate
from pretrain.export_gate.result import GateResult
from pretrain.models import rope
from pretrain.pack import pack_tokens
from pretrain.stage import checkpoints_dir, model_dir
from pretrain.train import train
from tests.tiny import tiny_run, write_base
from tokenizer.extend import extend_tokenizer

MakeRun = Callable[..., Run]


@pytest.fixture(scope="module")
def exported(trained: Run) -> Run:
    """The trained run, exported."""
    export_model(trained)
    return trained


def _checkpoint(run: Run) -> CheckpointReader:
    counts = Artifact.open(checkpoints_dir(run)).counts
    return CheckpointReader(Artifact.open(checkpoints_dir(run) / counts["checkpoint"]))


def test_transformers_loads_the_trained_weights_bit_for_bit(exported: Run) -> None:
    model = AutoModelForCausalLM.from_pretrained(model_dir(exported) / "hf", dtype=torch.float32)
    reader = _checkpoint(exported)
    named = dict(model.named_parameters())
    assert set(named) == set(reader.shapes)
    for name, parameter in named.items():
        assert torch.equal(parameter, reader.read(name, Box.whole(parameter.shape), "master")), name


def test_the_gate_was_passed_and_says_by_how_much(exported: Run) -> None:
    found = Artifact.open(model_dir(exported)).counts["gate"]
    assert found["failures"] == []
    assert 0 < found["logits_max_abs_diff"] <= found["tolerance"]
    assert found["logits_max_abs"] > 0


def test_the_folder_has_nothing_of_this_machine(exported: Run) -> None:
    folder = model_dir(exported) / "hf"
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert str(exported.run.dir) not in (folder / "README.md").read_text()
    assert str(exported.run.dir) not in (folder / "config.json").read_text()


def test_transformers_4_finds_rope_under_its_own_name(exported: Run) -> None:
    config = json.loads((model_dir(exported) / "hf" / "config.json").read_text())
    assert config["rope_theta"] == config["rope_parameters"]["rope_theta"] == 10_000.0


SCALED = {
    "rope_type": "llama3",
    "rope_theta": 10_000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


def test_the_rope_of_the_last_stage_is_exported_with_the_scaling_of_the_base(tmp_path: Path) -> None:
    run = tiny_run(
        tmp_path, "pretrain.stages.all.tokens=512", "pretrain.stages.all.rope_base=500000", "export.prompts=[]"
    )
    path = tmp_path / "base" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "rope_parameters": SCALED}))
    for stage in (build_corpus, extend_tokenizer, pack_tokens, train, export_model):
        stage(run)
    expected = {**SCALED, "rope_theta": 500_000.0}
    config = json.loads((model_dir(run) / "hf" / "config.json").read_text())
    assert config["rope_parameters"] == expected
    assert config["rope_theta"] == 500_000.0
    assert config["rope_scaling"] == {key: value for key, value in expected.items() if key != "rope_theta"}
    ours = AutoModelForCausalLM.from_pretrained(model_dir(run) / "hf").model.rotary_emb
    right = LlamaConfig(hidden_size=32, num_attention_heads=4, max_position_embeddings=256, rope_parameters=expected)
    assert torch.equal(ours.inv_freq, LlamaRotaryEmbedding(right).inv_freq)


YARN = {"rope_type": "yarn", "rope_theta": 10_000.0, "factor": 2.0}
"""Without the length that it scales from, for which transformers takes max_position_embeddings."""


@pytest.mark.parametrize("scaling", [None, YARN], ids=["plain", "yarn"])
def test_a_last_stage_of_longer_sequences_is_exported_as_what_the_model_can_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scaling: dict[str, Any] | None
) -> None:
    run = tiny_run(
        tmp_path,
        "pretrain.batch_tokens=1024",
        "pretrain.stages.all.tokens=1024",
        "pretrain.stages.long={tokens: 1024, mixture: {inhouse: 1}, seq_len: 512}",
        "export.prompts=[]",
    )
    path = tmp_path / "base" / "config.json"
    if scaling is not None:
        path.write_text(json.dumps({**json.loads(path.read_text()), "rope_parameters": scaling}))
    assert estimate(run, None, Rates())["problems"] == []
    for stage in (build_corpus, extend_tokenizer, pack_tokens, train, export_model):
        stage(run)
    # Nobody complains of the length; and the gate let it pass, so the rotation is that of training all the same.
    assert [record for record in caplog.records if record.levelname != "INFO"] == []
    model = AutoModelForCausalLM.from_pretrained(model_dir(run) / "hf")
    assert model.config.max_position_embeddings == 512
    assert model.config.rope_parameters.get("original_max_position_embeddings") == (256 if scaling else None)


@pytest.mark.parametrize(("seq_len", "positions"), [(255, 256), (256, 256), (257, 257)])
def test_a_model_can_read_what_its_base_could_and_what_it_was_trained_on(seq_len: int, positions: int) -> None:
    assert rope.positions({"max_position_embeddings": 256}, seq_len) == {"max_position_embeddings": positions}
    assert rope.positions({}, seq_len) == {}


def test_the_tokenizer_is_the_one_training_used(exported: Run) -> None:
    folder = model_dir(exported) / "hf"
    assert (folder / "tokenizer.json").read_bytes() == (
        exported.run.dir / "tokenizer" / "hf" / "tokenizer.json"
    ).read_bytes()
    assert len(AutoTokenizer.from_pretrained(folder)) == 340


def test_the_continuations_are_what_a_user_would_get(exported: Run) -> None:
    samples = json.loads((model_dir(exported) / "samples.json").read_text())
    folder = model_dir(exported) / "hf"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    ids = tokenizer("ポンプの", return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=8, do_sample=False)
    assert samples[0]["prompt"] == "ポンプの"
    assert samples[0]["after"] == tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)


def test_the_card_tells_data_licences_and_results(exported: Run) -> None:
    card = (model_dir(exported) / "hf" / "README.md").read_text()
    assert "| source inhouse | Apache-2.0 |" in card
    assert "| english | en | " in card
    assert "12 steps" in card
    assert card.startswith("---\nlibrary_name: transformers\n")


def test_run_again_it_returns_at_once(exported: Run) -> None:
    manifest = model_dir(exported) / "manifest.json"
    before = manifest.stat().st_mtime_ns
    export_model(exported)
    assert manifest.stat().st_mtime_ns == before


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_rounded_weights_pass_the_gate_as_rounded(packed: MakeRun, dtype: str) -> None:
    run = packed(f"export.dtype={dtype}", "export.prompts=[]")
    train(run)
    export_model(run)
    weights = load_file(model_dir(run) / "hf" / "model.safetensors")
    reader = _checkpoint(run)
    for name, tensor in weights.items():
        expected = reader.read(name, Box.whole(tensor.shape), "master").to(getattr(torch, dtype))
        assert tensor.dtype == getattr(torch, dtype)
        assert torch.equal(tensor, expected)


def _tamper_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * 1.01
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def _tamper_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["rope_theta"] = config["rope_parameters"]["rope_theta"] = 500_000.0
    (folder / "config.json").write_text(json.dumps(config))


def _tamper_length(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 128}))


def _tamper_window(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "sliding_window": 64}))  # of no effect on short texts


def _tamper_tokenizer(folder: Path) -> None:
    definition = json.loads((folder / "tokenizer.json").read_text())
    definition["model"]["merges"].pop()
    (folder / "tokenizer.json").write_text(json.dumps(definition))


def _drop_tensor(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        pytest.param(_tamper_weights, "logits differ by", id="one tensor one per cent larger"),
        pytest.param(_tamper_config, "rope: ", id="another RoPE base"),
        pytest.param(_tamper_length, "config max_position_embeddings: 256 became 128", id="another length"),
        pytest.param(_tamper_window, "config sliding_window: None became 64", id="a key more"),
        pytest.param(_tamper_tokenizer, "has other ids after reload", id="a merge is missing"),
        pytest.param(
            _drop_tensor, "transformers reports missing keys: model.layers.1.mlp.up_proj.weight", id="a tensor"
        ),
    ],
)
def test_a_folder_that_is_not_what_was_trained_never_gets_its_name(
    trained: Run, packed: MakeRun, monkeypatch: pytest.MonkeyPatch, tamper: Callable[[Path], None], reason: str
) -> None:
    run = packed()
    shutil.copytree(checkpoints_dir(trained), checkpoints_dir(run))
    check = gate.check

    def tampered(folder: Path, *rest: Any) -> GateResult:
        tamper(folder)
        return check(folder, *rest)

    monkeypatch.setattr(gate, "check", tampered)
    with pytest.raises(UserError, match="the exported folder is not what was trained") as raised:
        export_model(run)
    assert reason in str(raised.value)
    assert not model_dir(run).exists()
    assert not model_dir(run).with_name("model.unchecked").exists()
    rejected = json.loads((model_dir(run).with_name("model.rejected") / "gate.json").read_text())
    assert any(reason in failure for failure in rejected["failures"])


def test_without_a_finished_training_nothing_is_exported(packed: MakeRun) -> None:
    with pytest.raises(UserError, match=r"run/checkpoints: does not exist; run the stage that makes it first"):
        export_model(packed())


def test_an_untied_model_is_grafted_and_exported(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "pretrain.stages.all.tokens=512", "tokenizer.init.pad_to_multiple=64")
    shutil.rmtree(tmp_path / "base")
    write_base(tmp_path / "base", tied=False)
    for stage in (build_corpus, extend_tokenizer, pack_tokens, train, export_model):
        stage(run)
    weights = load_file(model_dir(run) / "hf" / "model.safetensors")
    assert weights["lm_head.weight"].shape == weights["model.embed_tokens.weight"].shape == (384, 32)
    assert not torch.equal(weights["lm_head.weight"], weights["model.embed_tokens.weight"])
