"""The model card tells what the manifests know, in English and Japanese, and nothing of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from configs.schema.run import Run
from pretrain.card import card
from pretrain.export_gate.result import GateResult, Greedy, Logits
from tests.tiny import tiny_run

GOLDEN = Path(__file__).parents[1] / "golden" / "card"
COUNTS: dict[str, Any] = {
    "steps": 12,
    "tokens_trained": 2962,
    "skipped_steps": 0,
    "epochs": {"english": 0.5, "inhouse": 0.63333},
    "tokens": {"english": 640, "inhouse": 2432},
    "order": ["17e1", "4afc"],
    "bits_per_character": {
        "en": {"base": 4.40636, "initial": 4.453, "trained": 4.08889},
        "ja": {"base": 23.8388, "initial": 14.3413, "trained": 11.532},
    },
}
GATE = GateResult(812, Logits(3.1e-6, 9.42, 0.0123, -0.00004), Greedy(6, 384, 1), ())
WORDS = (
    "pretrain.stages.long={tokens: 1024, seq_len: 128, mixture: {inhouse: 1}, rate: {schedule: linear, peak: 0.5}}",
    "export.card={license: apache-2.0, base_license: mit, base_model: example/pump-1b, intended_use: 点検記録の要約。}",
    "export.dtype=bfloat16",
)


def manifests(**counts: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the checkpoints and of the tokenizer."""
    return {"counts": COUNTS | counts, "inputs": {"base": {"files": 5}}}, {"counts": {"new_tokens": 20}}


def written(run: Run, gate: GateResult = GATE, **counts: Any) -> str:
    return card(run, *manifests(**counts), gate)


@pytest.mark.parametrize(
    ("name", "words", "gate", "counts"),
    [
        pytest.param("declared.md", WORDS, GATE, {}, id="everything is declared"),
        pytest.param(
            "bare.md",
            ("export.dtype=float32",),
            GateResult(812, Logits(0.0, 9.42, 0.0, 0.0), None, ()),
            {"skipped_steps": 2, "rollbacks": [{"steps": [3, 6], "skipped_from": 5}]},
            id="nothing is, a large model, skipped steps and steps that were taken back",
        ),
    ],
)
def test_the_card_is_the_golden_one(
    tmp_path: Path, name: str, words: tuple[str, ...], gate: GateResult, counts: dict[str, Any]
) -> None:
    found = written(tiny_run(tmp_path, *words), gate, **counts)
    assert found == (GOLDEN / name).read_text(encoding="utf-8")


def test_the_hub_reads_its_metadata(tmp_path: Path) -> None:
    data: Any = ModelCard(written(tiny_run(tmp_path, *WORDS))).data
    assert data.to_dict() == {
        "base_model": "example/pump-1b",
        "license": "apache-2.0",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "language": ["en", "ja"],
        "tags": ["continued-pretraining", "tsugiki"],
    }


def test_a_base_in_a_folder_is_called_by_its_name_and_not_by_its_place(tmp_path: Path) -> None:
    run = tiny_run(tmp_path)
    found = written(run)
    assert str(tmp_path) not in found
    assert "Continued pretraining of `base` with tsugiki" in found
    assert "base_model" not in found.split("---")[1]


def test_a_base_on_the_hub_is_named_with_its_commit(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "pretrain.base=example/pump-1b")
    trained, tokenizer = manifests()
    trained["inputs"]["base"] = {"fixed": "example/pump-1b@4f2a"}
    found = card(run, trained, tokenizer, GATE)
    data: Any = ModelCard(found).data
    assert data.base_model == "example/pump-1b"
    assert "`example/pump-1b` at commit `4f2a`" in found
    assert "`example/pump-1b`（コミット `4f2a`）" in found
