"""Tiny models of awkward shapes, and checkpoints that a plain DeepSpeed script trained and saved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.engine_lab import launch
from pretrain.convert.model import Model

SCRIPT = Path(__file__).with_name("plain_script.py")
FROZEN = ("q_proj", "embed")

# By name: what is changed of a plain fp32 run of the tied model.
CASES: dict[str, dict[str, Any]] = {
    **{f"zero-{stage}": {"stage": stage} for stage in range(4)},
    **{f"zero-{stage}-bf16": {"stage": stage, "dtype": "bfloat16", "model": "untied"} for stage in range(4)},
    **{f"zero-{stage}-fp16": {"stage": stage, "dtype": "float16", "model": "untied"} for stage in range(4)},
    "zero-1-bf16-summed-in-fp32": {"stage": 1, "dtype": "bfloat16", "accumulate": "fp32"},
    **{
        f"zero-{stage}-frozen": {"stage": stage, "frozen": FROZEN, "groups": "two", "model": "untied"}
        for stage in range(4)
    },
    "zero-3-frozen-bf16": {"stage": 3, "frozen": FROZEN, "model": "untied", "dtype": "bfloat16"},
    "zero-1-round-robin": {"stage": 1, "zero": {"round_robin_gradients": True}},
    "zero-2-aligned": {"stage": 2, "zero": {"parameter_alignment": True}, "dtype": "bfloat16"},
    "zero-2-elastic": {"stage": 2, "zero": {"elastic_checkpoint": True}},
    "zero-3-sub-groups": {"stage": 3, "zero": {"sub_group_size": 3000}},
}


def write_model(folder: Path, *, tied: bool) -> None:
    """A Llama with an odd vocabulary, one key/value head, and heads that are not hidden/heads wide."""
    config = LlamaConfig(
        vocab_size=101,
        hidden_size=24,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=10,
        max_position_embeddings=64,
        tie_word_embeddings=tied,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """HF folders of the models, by name."""
    root = tmp_path_factory.mktemp("models")
    for name in ("tied", "untied"):
        write_model(root / name, tied=name == "tied")
    return {name: root / name for name in ("tied", "untied")}


@pytest.fixture(scope="session")
def models(folders: dict[str, Path]) -> dict[str, Model]:
    """The architectures, by name."""
    return {name: Model.of(folder) for name, folder in folders.items()}


@dataclass(frozen=True)
class Trained:
    """A run of the script that saved after three steps."""

    name: str
    root: Path
    model: Model
    case: dict[str, Any]

    @property
    def checkpoint(self) -> Path:
        """The folder of the tag."""
        return self.root / "checkpoint" / "global_step3"

    @property
    def held(self) -> dict[str, torch.Tensor]:
        """By `kind:name`, what DeepSpeed itself gathered when it saved."""
        return load_file(self.root / "after.safetensors")


@dataclass(frozen=True)
class Script:
    """Runs the plain script."""

    root: Path
    folders: dict[str, Path]

    def job(self, name: str, *, model: str = "tied", **more: Any) -> dict[str, Any]:
        """A job on one of the models."""
        return {"name": name, "model": str(self.folders[model]), **more}

    def run(self, jobs: list[dict[str, Any]], ranks: int, out: str) -> dict[str, list[Any]]:
        """What each rank saw of each job; files are in folders of the jobs' names."""
        return launch.run(jobs, self.root / out, ranks, timeout_s=400, program=SCRIPT)


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory, folders: dict[str, Path]) -> Script:
    """The plain script."""
    return Script(tmp_path_factory.mktemp("deepspeed"), folders)


@pytest.fixture(scope="session", params=[1, 2], ids=["one rank", "two ranks"])
def trained(script: Script, models: dict[str, Model], request: pytest.FixtureRequest) -> dict[str, Trained]:
    """Every case, trained by so many processes."""
    ranks = request.param
    jobs = [script.job(name, **case, steps=3, save=True) for name, case in CASES.items()]
    script.run(jobs, ranks, f"trained-{ranks}")
    return {
        name: Trained(name, script.root / f"trained-{ranks}" / name, models[case.get("model", "tied")], case)
        for name, case in CASES.items()
    }
