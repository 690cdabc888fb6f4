"""Weights, fp32 weights and moments come to the byte to what the engines really allocate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.engine_lab import launch
from benchmarks.engine_lab.inputs import NEW_ROWS, save_model, training_batches
from configs.schema.pretrain import Parallel
from pretrain.engines import hf_model
from pretrain.engines.base import Group
from pretrain.estimate.held import ZERO3_WHOLE_UP_TO, held
from pretrain.estimate.memory import state
from pretrain.estimate.setup import Model, Setup
from pretrain.parameters import Parameters

# An embedding that ZeRO 3 shares out, beside smaller parameters that it keeps whole in a step; little divides evenly.
OLD_ROWS, HIDDEN = 1003, 112
ROWS = OLD_ROWS + NEW_ROWS
RATES = dict.fromkeys(get_args(Group), 1e-3)

LAYOUTS: dict[str, Any] = {
    "single": ("single", 1, {}),
    **{f"zero {stage}": ("deepspeed", 2, {"zero": stage}) for stage in "0123"},
    **{f"zero {stage} of 3": ("deepspeed", 3, {"zero": stage}) for stage in "13"},
    "data 2": ("megatron", 2, {}),
    "tensor 2": ("megatron", 2, {"tensor": 2}),
    "pipeline 2": ("megatron", 2, {"pipeline": 2}),
    "context 2": ("megatron", 2, {"context": 2}),
    "tensor 2 x pipeline 2": ("megatron", 4, {"tensor": 2, "pipeline": 2}),
    "pipeline 2 x data 2": ("megatron", 4, {"pipeline": 2}),
    "data 4, overlap": ("megatron", 4, {"overlap": True}),
    "pipeline 2 x data 2, overlap": ("megatron", 4, {"pipeline": 2, "overlap": True}),
}
"""Engine, processes and `parallel`; those of an engine and a number of processes run in one job."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("held")
    for tied in (True, False):
        save_model(root / str(tied), vocab_size=OLD_ROWS, hidden_size=HIDDEN, tie_word_embeddings=tied)
    save_file(training_batches(2, torch.Generator().manual_seed(0)), root / "batches.safetensors")
    return root


def expected(folder: Path, engine: Any, processes: int, parallel: dict[str, Any], precision: Any) -> list[float]:
    """By rank: ranks of a pipeline stage stand behind each other."""
    config = hf_model.read_config(folder, ROWS)
    model = Model(config, Parameters.of(config), OLD_ROWS)
    setup = Setup(engine, 1, Parallel(processes=processes, **parallel), precision, 1, 48, 192)
    stages = [sum(state(setup, here).values()) for here in held(model, setup)]
    return [stages[rank * len(stages) // processes] for rank in range(processes)]


def job(lab: Path, engine: str, processes: int) -> list[tuple[str, list[float], dict[str, Any]]]:
    """Name, what each rank should hold, and the case, of every layout of an engine on so many processes."""
    cases = []
    for name, (its_engine, its_processes, parallel) in LAYOUTS.items():
        if (its_engine, its_processes) != (engine, processes):
            continue
        # Over pipeline stages a tied embedding is held twice; elsewhere two embeddings are more than one.
        folder = lab / str("pipeline" in parallel)
        for precision in ("fp32", "bf16"):
            case = {
                "name": f"{name}, {precision}",
                "engine": engine,
                "hf": str(folder),
                "new_rows": str(folder / "new_rows.safetensors"),
                "batches": str(lab / "batches.safetensors"),
                "vocab_rows": ROWS,
                "first_new_row": OLD_ROWS,
                "parallel": parallel,
                "precision": precision,
                "do": [
                    ("load_base", {}),
                    ("steps", {"first": 0, "last": 2, "lr": RATES, "limits": {"grad_norm": 1e9}}),
                    ("state_bytes", {}),
                ],
            }
            cases.append((case["name"], expected(folder, engine, processes, parallel, precision), case))
    return cases


def slow(*jobs: tuple[str, int]) -> list[Any]:
    return [pytest.param(*one, marks=pytest.mark.slow) for one in jobs]


@pytest.mark.parametrize(
    ("engine", "processes"),
    [("single", 1), *slow(("deepspeed", 2), ("deepspeed", 3), ("megatron", 2), ("megatron", 4))],
)
def test_state_is_estimated_to_the_byte(lab: Path, engine: str, processes: int) -> None:
    cases = job(lab, engine, processes)
    assert cases
    seen = launch.run([case for _, _, case in cases], lab / f"{engine}-{processes}", processes, timeout_s=400)
    for name, right, _ in cases:
        allocated = [rank[2] for rank in seen[name]]
        assert len(allocated) == len(right) == processes
        for stage in set(right):
            # The estimate is of the fullest rank of each stage.
            assert max(here for here, its in zip(allocated, right, strict=True) if its == stage) == stage, name


def test_the_model_of_this_test_has_parameters_on_both_sides_of_zero_3s_threshold(lab: Path) -> None:
    shapes = Parameters.of(hf_model.read_config(lab / "True", ROWS)).shapes.values()
    counts = [torch.Size(shape).numel() for shape in shapes]
    assert min(counts) < ZERO3_WHOLE_UP_TO < max(counts)
