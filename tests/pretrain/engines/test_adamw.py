"""Which rate and which decay a parameter gets, on the engine that the others are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmarks.engine_lab.inputs import NEW_ROWS, OLD_ROWS, save_model, training_batches
from configs.schema.pretrain import Optim, Parallel
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import GraftedReader, HfFolderReader
from pretrain.engines import single
from pretrain.engines.base import EngineSpec, Group, Limits
from pretrain.micro_batch import MicroBatch

RATES: Mapping[Group, float] = {"matrices": 1e-2, "vectors": 1e-2, "embeddings": 1e-2, "new_rows": 1e-2}
EMBEDDINGS = ("model.embed_tokens.weight", "lm_head.weight")

Weights = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Qwen2, which has biases, with an output embedding of its own."""
    root = tmp_path_factory.mktemp("adamw")
    save_model(root, "qwen2", tie_word_embeddings=False)
    save_file(training_batches(1, torch.Generator().manual_seed(7)), root / "batches.safetensors")
    return root


def after_a_step(root: Path, rates: Mapping[Group, float], **optim: float) -> tuple[Weights, Weights]:
    """Weights before and after the first step."""
    spec = EngineSpec(root, OLD_ROWS + NEW_ROWS, OLD_ROWS, "all", Optim.model_validate(optim), Parallel())
    reader = GraftedReader(HfFolderReader(root), OLD_ROWS, load_file(root / "new_rows.safetensors"))
    engine = single.build(spec)
    engine.load_state(reader, 0)
    tensors = load_file(root / "batches.safetensors")
    parts = ("tokens", "labels", "positions", "cu_seqlens", "source")
    names = sorted({key.rsplit("/", 1)[0] for key in tensors})
    batches = [MicroBatch(*(tensors[f"{name}/{part}"] for part in parts)) for name in names]
    assert not engine.train_step(batches, rates, Limits(1e9)).skipped
    after = {part.name: part.tensor.clone() for part in engine.local_state() if part.kind == "master"}
    return {name: reader.read(name, Box.whole(tensor.shape), "master") for name, tensor in after.items()}, after


def test_matrices_are_decayed_and_norms_biases_and_embeddings_are_not(root: Path) -> None:
    before, plain = after_a_step(root, RATES, weight_decay=0.0)
    _, decayed = after_a_step(root, RATES, weight_decay=0.5)
    kinds = {"norm.weight": 0, "bias": 0, "embed_tokens.weight": 0, "lm_head.weight": 0, "proj.weight": 0}
    for name, weights in decayed.items():
        [kind] = [kind for kind in kinds if name.endswith(kind)]
        kinds[kind] += 1
        if kind == "proj.weight":
            torch.testing.assert_close(plain[name] - weights, 1e-2 * 0.5 * before[name], rtol=0, atol=1e-6)
        else:
            assert torch.equal(plain[name], weights), name
    assert min(kinds.values()) > 0


def test_each_group_moves_at_its_own_rate(root: Path) -> None:
    rates: dict[Group, float] = {"matrices": 1e-2, "vectors": 2e-2, "embeddings": 4e-3, "new_rows": 3e-2}
    before, after = after_a_step(root, rates, weight_decay=0.0)
    moved: dict[Group, float] = dict.fromkeys(rates, 0.0)
    for name, weights in after.items():
        change = (weights - before[name]).abs()
        parts: dict[Group, torch.Tensor] = {"matrices" if change.dim() == 2 else "vectors": change}
        if name in EMBEDDINGS:
            parts = {"embeddings": change[:OLD_ROWS], "new_rows": change[OLD_ROWS:]}
        for group, part in parts.items():
            moved[group] = max(moved[group], float(part.max()))
    # Adam's first step is as long as the rate, whatever the gradient.
    assert moved == pytest.approx(rates, rel=1e-3)
