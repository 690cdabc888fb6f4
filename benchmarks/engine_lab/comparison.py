"""How far the engines are from `single`, over models and layouts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from benchmarks.engine_lab import launch
from benchmarks.engine_lab.inputs import NEW_ROWS, OLD_ROWS, every_label, save_model, training_batches

_LR = {"matrices": 2e-3, "vectors": 2e-3, "embeddings": 1e-3, "new_rows": 1e-3}


@dataclass(frozen=True)
class Model:
    """What every engine is to compute alike: a model, and what is particular to its training."""

    name: str
    family: str = "llama"
    changes: Mapping[str, Any] = field(default_factory=dict)
    """What of its config.json differs from the usual small model of 8 heads in 4 groups."""
    even_vocabulary: bool = False
    """One row more, of no token: otherwise the vocabulary is odd with its new rows, and tensor parallelism pads it."""
    packed: bool = True
    """Several documents in each micro-batch of training, or one."""
    rope_base: float | None = None
    """Base of the rotary embedding in this stage; none keeps the model's."""


@dataclass(frozen=True)
class Combination:
    """A model in a layout of an engine."""

    layout: str
    model: Model
    engine: str
    processes: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What else the driver is told: `parallel`, `recompute` and so on."""

    @property
    def name(self) -> str:
        """For a table."""
        return f"{self.layout}: {self.model.name}"


@dataclass(frozen=True)
class Difference:
    """How far a combination is from `single`."""

    losses: float
    """Largest relative difference of the mean loss of a step."""
    norms: float
    """Largest relative difference of the gradient norm of a step."""
    log_probabilities: float
    """Largest difference between log-probabilities that the untrained model gives to any token of the vocabulary,
    which is the largest difference of logits up to what a softmax does not see; nats."""
    leak: bool
    """Whether any number of a document changed with the document in front of it."""


def compare(root: Path, combinations: Iterable[Combination], steps: int, *, timeout_s: float) -> dict[str, Difference]:
    """Train every combination for some steps from the same HF folder and compare it with `single`.

    Args:
        root: an empty folder for models, batches, logs.
        timeout_s: of one job; combinations of one engine and number of processes are one.
    Returns:
        By name of the combination.
    Raises:
        AssertionError: if a process fails, or ranks disagree.
    """
    wanted = list(combinations)
    models = {one.model.name: one.model for one in wanted}
    folders = {name: root / f"model-{number}" for number, name in enumerate(models)}
    for name, model in models.items():
        save_model(folders[name], model.family, new_rows=_new_rows(model), **model.changes)
    for packed in (True, False):
        save_file(_batches(steps, packed), root / _BATCHES[packed])
    jobs: dict[tuple[str, int], list[Combination]] = {
        ("single", 1): [Combination("single", model, "single", 1) for model in models.values()]
    }
    for one in wanted:
        jobs.setdefault((one.engine, one.processes), []).append(one)
    seen: dict[str, list[Any]] = {}
    for (engine, processes), job in jobs.items():
        cases = [_case(one, folders[one.model.name], root / _BATCHES[one.model.packed], steps) for one in job]
        found = launch.run(cases, root / f"{engine}-{processes}", processes, timeout_s=timeout_s)
        for one in job:
            seen[one.name] = _same_on_all_ranks(one.name, found[one.name])
    return {one.name: _difference(seen[one.name], seen[f"single: {one.model.name}"]) for one in wanted}


_BATCHES = {True: "packed.safetensors", False: "unpacked.safetensors"}


def _new_rows(model: Model) -> int:
    return NEW_ROWS + model.even_vocabulary


def _batches(steps: int, packed: bool) -> dict[str, torch.Tensor]:
    tensors = training_batches(steps, torch.Generator().manual_seed(7), packed=packed)
    tokens_N, other_N = torch.randint(0, OLD_ROWS, (2, 17), generator=torch.Generator().manual_seed(1))
    # The first document differs, the second, of 9 tokens, does not.
    other_N[8:] = tokens_N[8:]
    tensors |= every_label("whole", tokens_N, [8, 9])
    return tensors | every_label("other", other_N, [8, 9])


def _case(one: Combination, folder: Path, batches: Path, steps: int) -> dict[str, Any]:
    return {
        "name": one.name,
        "engine": one.engine,
        "hf": str(folder),
        "new_rows": str(folder / "new_rows.safetensors"),
        "batches": str(batches),
        "vocab_rows": OLD_ROWS + _new_rows(one.model),
        "first_new_row": OLD_ROWS,
        "rope_base": one.model.rope_base,
        "do": [
            ("load_base", {}),
            ("eval", {"batches": "whole"}),
            ("eval", {"batches": "other"}),
            ("steps", {"first": 0, "last": steps, "lr": _LR, "limits": {"grad_norm": 1e9}}),
        ],
        **one.settings,
    }


def _same_on_all_ranks(name: str, ranks: Sequence[Any]) -> list[Any]:
    if any(seen != ranks[0] for seen in ranks) or isinstance(ranks[0], dict):
        raise AssertionError(f"{name}: {ranks if isinstance(ranks[0], dict) else 'the ranks differ'}")
    result: list[Any] = ranks[0]
    return result


def _difference(seen: list[Any], right: list[Any]) -> Difference:
    _, whole, other, steps = seen
    _, right_whole, _, right_steps = right
    return Difference(
        losses=max(abs(nll / there[0] - 1) for (nll, *_), there in zip(steps, right_steps, strict=True)),
        norms=max(abs(norm / there[2] - 1) for (_, _, norm, _), there in zip(steps, right_steps, strict=True)),
        log_probabilities=max(abs(nll - there[1]) for (_, nll, _), there in zip(whole, right_whole, strict=True)),
        leak=_of_second_document(whole) != _of_second_document(other) or whole == other,
    )


def _of_second_document(sums: list[Any]) -> list[Any]:
    return [one for one in sums if one[0] % 17 >= 8]
