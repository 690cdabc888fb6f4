"""A folder is fine-tuned for real, by Trainer, SFTTrainer and LoRA; what stands in the way is found and named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from configs.schema.run import Run
from pretrain.export import export_model
from pretrain.stage import model_dir
from tests.tiny import write_base

REPOSITORY = Path(__file__).parents[3]


def sft_check(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it; its libraries warn at import, which is theirs to do."""
    command = [sys.executable, "-m", "tsugiki", "pretrain", "sft-check", str(folder), *words]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONWARNINGS": "ignore"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_an_exported_folder_is_fine_tuned_in_every_way(trained: Run) -> None:
    export_model(trained)
    done = sft_check(model_dir(trained) / "hf", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["name"] for one in found] == ["chat template", "Trainer", "SFTTrainer", "LoRA"]
    assert all(one["passed"] for one in found)
    assert "the folder has no chat template" in found[0]["told"]
    assert all("in 10 steps" in one["told"] for one in found[1:])


@pytest.mark.slow
def test_a_folder_whose_tokenizer_is_larger_than_its_embeddings_fails(tmp_path: Path) -> None:
    folder = write_base(tmp_path / "base")
    path = folder / "tokenizer.json"
    definition = json.loads(path.read_text())
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    definition["added_tokens"] += [{"id": 320, "content": "<|tool|>", **special}]
    path.write_text(json.dumps(definition))
    done = sft_check(folder, "--steps", "2", "--lora-only")
    assert done.returncode == 1
    assert "FAILED  chat template  the tokenizer has 321 tokens, the embeddings have 320 rows" in done.stdout
    assert done.stderr.endswith(f"tsugiki: {folder}: not ready for fine-tuning: chat template\n")


def test_a_folder_without_a_model_is_refused_at_once(tmp_path: Path) -> None:
    done = sft_check(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"tsugiki: {tmp_path}: has no config.json; expected is a Hugging Face folder, e.g. model/hf of a run\n"
    )


def test_one_step_shows_no_fall(tmp_path: Path) -> None:
    done = sft_check(tmp_path, "--steps", "1")
    assert done.returncode == 2
    assert "a loss can fall only in two steps or more" in done.stderr
