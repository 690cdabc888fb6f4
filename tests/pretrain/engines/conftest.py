"""A tiny Llama, ragged batches, and real processes that train it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from benchmarks.engine_lab import launch
from benchmarks.engine_lab.inputs import (
    MICRO_BATCHES,
    NEW_ROWS,
    OLD_ROWS,
    documents,
    micro_batch,
    save_model,
    training_batches,
)

STEPS = 10
LR = {"matrices": 2e-3, "vectors": 2e-3, "embeddings": 1e-3, "new_rows": 1e-3}


@dataclass(frozen=True)
class Lab:
    """Files that every case starts from, and the way to run one."""

    root: Path
    lr: Mapping[str, float]

    def case(self, name: str, engine: str, *do: Any, tied: bool = True, **more: Any) -> dict[str, Any]:
        """A case of a job; `do` are its commands."""
        hf = self.root / ("tied" if tied else "untied")
        return {
            "name": name,
            "engine": engine,
            "hf": str(hf),
            "new_rows": str(hf / "new_rows.safetensors"),
            "batches": str(self.root / "batches.safetensors"),
            "vocab_rows": OLD_ROWS + NEW_ROWS,
            "first_new_row": OLD_ROWS,
            "do": do,
            **more,
        }

    def run(
        self, cases: list[dict[str, Any]], *, processes: int, timeout_s: float = 400, python_path: str = ""
    ) -> dict[str, list[Any]]:
        """What each rank saw of each case.

        Raises:
            AssertionError: if a process fails or takes longer than allowed; none is left behind.
        """
        out = self.root / f"job-{time.monotonic_ns()}"
        return launch.run(cases, out, processes, timeout_s=timeout_s, python_path=python_path)


LAYOUTS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "zero 0": ("deepspeed", 2, {"zero": "0"}),
    "zero 1": ("deepspeed", 2, {"zero": "1"}),
    "zero 2": ("deepspeed", 2, {"zero": "2"}),
    "zero 3": ("deepspeed", 2, {"zero": "3"}),
    "tensor 2": ("megatron", 2, {"tensor": 2}),
    "pipeline 2": ("megatron", 2, {"pipeline": 2}),
    "data 2": ("megatron", 2, {}),
    "context 2": ("megatron", 2, {"context": 2}),
    "tensor 2 sequence": ("megatron", 2, {"tensor": 2, "sequence": True}),
    "recompute": ("megatron", 2, {"pipeline": 2}),
    "zero 1 of 3": ("deepspeed", 3, {"zero": "1"}),
    "zero 2 of 3": ("deepspeed", 3, {"zero": "2"}),
    "zero 3 of 3": ("deepspeed", 3, {"zero": "3"}),
    "tensor 2 x pipeline 2": ("megatron", 4, {"tensor": 2, "pipeline": 2}),
    "pipeline 2 x data 2": ("megatron", 4, {"pipeline": 2}),
    "tensor 2 x data 2": ("megatron", 4, {"tensor": 2}),
    "pipeline 4": ("megatron", 4, {"pipeline": 4}),
    "context 4": ("megatron", 4, {"context": 4}),
    "context 2 x data 2": ("megatron", 4, {"context": 2}),
    "context 2 x tensor 2": ("megatron", 4, {"context": 2, "tensor": 2}),
    "context 2 x pipeline 2": ("megatron", 4, {"context": 2, "pipeline": 2}),
    "tensor 2 sequence x pipeline 2": ("megatron", 4, {"tensor": 2, "sequence": True, "pipeline": 2}),
    "tensor 2 sequence x context 2 recompute": ("megatron", 4, {"tensor": 2, "sequence": True, "context": 2}),
}
"""Framework, processes, and `parallel` of each layout."""

MORE: dict[str, dict[str, Any]] = {
    "recompute": {"recompute": "layers"},
    "tensor 2 sequence x context 2 recompute": {"recompute": "layers"},
}
"""What else a case of a layout says."""


QUICK = {"zero 3", "tensor 2"}
"""The layouts of the default suite, one of each engine; the others are in the slow suite, and so is bf16."""


def alike(layout: str, precision: str) -> tuple[str, ...]:
    """The layouts that are run in one job with this one."""
    others = [
        name
        for name, its in LAYOUTS.items()
        if its[:2] == LAYOUTS[layout][:2] and (precision == "bf16" or (name in QUICK) == (layout in QUICK))
    ]
    return tuple(others)


class Jobs:
    """Every case of every layout; layouts that are alike run in one job, when one of them is first asked for."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._done: dict[tuple[str, ...], dict[str, list[Any]]] = {}
        self._failed: dict[tuple[str, ...], str] = {}

    def seen(self, layout: str, case: str) -> list[Any]:
        """What the commands of a case gave, which must be equal on all ranks."""
        ranks = self.all_ranks(layout, case)
        assert all(seen == ranks[0] for seen in ranks), f"ranks differ: {ranks}"
        result: list[Any] = ranks[0]
        return result

    def all_ranks(self, layout: str, case: str) -> list[list[Any]]:
        """The same, rank by rank."""
        in_bf16 = case.startswith(("bf16", "overlap", "from "))
        return self._job(layout, "bf16" if in_bf16 else "fp32")[f"{layout}: {case}"]

    def back_on_single(self, layout: str) -> list[Any]:
        """The second five steps on `single`, from the layout's checkpoint after the first five, saved there first."""
        self._job(layout, "fp32")
        key = ("back from", *alike(layout, "fp32"))
        if key not in self._done:
            layouts = alike(layout, "fp32")
            cases = [self.lab.case(name, "single", *self._to_single(name), steps(5, 10)) for name in layouts]
            self._done[key] = self.lab.run(cases, processes=1)
        result: list[Any] = self._done[key][layout][0]
        return result

    def _to_single(self, layout: str) -> list[Any]:
        load = ("load", {"root": self.checkpoints(layout, "whole"), "step": 5})
        return [load, ("save", {"root": self.checkpoints(layout, "back"), "step": 5})]

    def checkpoints(self, layout: str, case: str) -> str:
        """Where a case puts its checkpoints."""
        return str(self.lab.root / "checkpoints" / layout / case)

    def _job(self, layout: str, precision: str) -> dict[str, list[Any]]:
        framework, processes, _ = LAYOUTS.get(layout, ("single", 1, {}))
        if framework != "single" and find_spec(framework) is None:
            pytest.skip(f"{framework} is not installed")
        if framework != "single":
            self._job("single", "fp32")  # leaves the checkpoint that the others continue
        same = alike(layout, precision) if layout in LAYOUTS else ("single",)
        key = (precision, *same)
        if key in self._failed:
            pytest.fail(self._failed[key])
        if key not in self._done:
            of_layout = self._bf16_cases if precision == "bf16" else self._cases
            cases = [case for one in same for case in of_layout(one)]
            if precision == "bf16":
                cases += [self._overlap(one) for one in OVERLAPPED if one in same]
                cases += [self._move(source, target) for source, target in MOVES if {source, target} <= set(same)]
            try:
                self._done[key] = self.lab.run(cases, processes=processes, timeout_s=300 + 10 * len(cases))
            except AssertionError as failure:
                self._failed[key] = str(failure)
                raise
        return self._done[key]

    def _cases(self, layout: str) -> list[dict[str, Any]]:
        framework, _, parallel = LAYOUTS.get(layout, ("single", 1, {}))

        def case(name: str, *do: Any, **more: Any) -> dict[str, Any]:
            return self.lab.case(f"{layout}: {name}", framework, *do, parallel=parallel, **MORE.get(layout, {}), **more)

        def save(name: str, step: int) -> Any:
            return ("save", {"root": self.checkpoints(layout, name), "step": step})

        whole = self.checkpoints("single", "whole")
        faster = {**LR, "new_rows": 5e-3}
        return [
            case("whole", LOAD, evaluate("held_out"), steps(0, 5), save("whole", 5), steps(5, 10)),
            case("untied", LOAD, steps(0, 10), tied=False),
            case(
                *("continued", ("load", {"root": whole, "step": 5}), save("continued", 5)),
                *(steps(5, 10), evaluate("held_out")),
            ),
            case("documents", LOAD, evaluate("a_and_b"), evaluate("other_a_and_b")),
            case("faster new rows", LOAD, steps(0, 3, faster), save("faster", 3)),
            case(
                "new rows only", LOAD, steps(0, 3, faster), save("new_rows", 3), steps(3, 5, faster), train="new_rows"
            ),
            case("untied new rows only", LOAD, steps(0, 3, faster), save("u", 3), train="new_rows", tied=False),
            case("embeddings", LOAD, steps(0, 3), save("embeddings", 3), train="embeddings"),
            case(
                *("skip", LOAD, steps(0, 2), save("skip", 2)),
                *(steps(2, 3, grad_norm=0.1), steps(2, 3, nll_per_token=0.1), save("skip", 3), steps(3, 5)),
            ),
            case("z-loss", LOAD, steps(0, 3), evaluate("held_out"), optim={"z_loss": 0.1}),
            case("samples", LOAD, WRITE, steps(0, 2), WRITE, steps(2, 4), WRITE_OLD),
            case("layer passes", LOAD, ("layer_passes", {})),
            case("not a number", ("load_base", {"broken": True}), steps(0, 1), save("broken", 1)),
        ]

    def _bf16_cases(self, layout: str) -> list[dict[str, Any]]:
        def case(name: str, *do: Any, **more: Any) -> dict[str, Any]:
            framework, _, parallel = LAYOUTS.get(layout, ("single", 1, {}))
            more = {"precision": "bf16", **MORE.get(layout, {}), **more}
            return self.lab.case(f"{layout}: {name}", framework, *do, parallel=parallel, **more)

        def save(name: str, step: int) -> Any:
            return ("save", {"root": self.checkpoints(layout, name), "step": step})

        resume = ("load", {"root": self.checkpoints(layout, "bf16"), "step": 2})
        return [
            case("bf16", LOAD, steps(0, 2), save("bf16", 2), steps(2, 4), evaluate("held_out")),
            case("bf16 samples", LOAD, steps(0, 2), WRITE, steps(2, 4), WRITE),
            case("bf16 resumed", resume, save("bf16 resumed", 2), steps(2, 4), evaluate("held_out")),
            case("bf16 slow", LOAD, steps(0, 1, dict.fromkeys(LR, 1e-7)), save("bf16 slow", 1)),
            case("bf16 new rows", LOAD, steps(0, 1), save("bf16 new rows", 1), train="new_rows", tied=False),
        ]

    def _overlap(self, layout: str) -> dict[str, Any]:
        """The steps of the bf16 case, with reductions and gathering beside the layers."""
        framework, _, parallel = LAYOUTS[layout]
        do = (LOAD, steps(0, 2), steps(2, 4), evaluate("held_out"))
        return self.lab.case(
            f"{layout}: overlap", framework, *do, parallel={**parallel, "overlap": True}, precision="bf16"
        )

    def _move(self, source: str, target: str) -> dict[str, Any]:
        """Take the bf16 checkpoint of one layout to another, and write what it is there."""
        framework, _, parallel = LAYOUTS[target]
        load = ("load", {"root": self.checkpoints(source, "bf16"), "step": 2})
        save = ("save", {"root": self.checkpoints(target, f"from {source}"), "step": 2})
        return self.lab.case(f"{target}: from {source}", framework, load, save, parallel=parallel, precision="bf16")


OVERLAPPED = ["data 2", "pipeline 2", "context 2", "pipeline 2 x data 2", "tensor 2 x data 2"]
"""Layouts that are also run with parallel.overlap."""

MOVES = [
    *(("data 2", "tensor 2"), ("tensor 2", "data 2"), ("tensor 2", "pipeline 2"), ("pipeline 2", "context 2")),
    *(("context 2", "tensor 2 sequence"), ("tensor 2 x pipeline 2", "context 2 x data 2")),
    *(("context 2 x data 2", "tensor 2 x data 2"),),
    *(("zero 1 of 3", "zero 2 of 3"), ("zero 2 of 3", "zero 3 of 3"), ("zero 3 of 3", "zero 1 of 3")),
]
"""From and to which layouts checkpoints are taken."""

LOAD: Any = ("load_base", {})


# One token, and lengths that no two of which make up a multiple of anything.
_PROMPTS = [[5], [17, 3, 120], list(range(20, 31)), [7, 7, 7, 7, 9]]
WRITE: Any = ("write_on", {"prompts": _PROMPTS, "tokens": 6, "known": OLD_ROWS + NEW_ROWS})
"""The command that continues prompts."""
FEW = 40
WRITE_OLD: Any = ("write_on", {"prompts": _PROMPTS, "tokens": 3, "known": FEW})
"""The same if only the first rows were tokens: fewer than a tensor rank's, so that one has none."""


def evaluate(batches: str) -> Any:
    """The command that measures batches."""
    return ("eval", {"batches": batches})


def steps(first: int, last: int, lr: dict[str, float] = LR, **limits: float) -> Any:
    """The command that trains."""
    return ("steps", {"first": first, "last": last, "lr": lr, "limits": {"grad_norm": 1e9, **limits}})


@pytest.fixture(scope="session")
def jobs(lab: Lab) -> Jobs:
    """The cases of all layouts."""
    return Jobs(lab)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The tiny model, tied and untied, and the batches of all steps."""
    root = tmp_path_factory.mktemp("engines")
    for tied in (True, False):
        save_model(root / ("tied" if tied else "untied"), tie_word_embeddings=tied)
    generator = torch.Generator().manual_seed(7)
    tensors = training_batches(STEPS, generator)
    for micro in range(MICRO_BATCHES):
        tensors |= micro_batch(f"held_out/{micro}", 48, generator)
    tensors |= documents("a_and_b/0", [23, 25], [0, 1], torch.Generator().manual_seed(1))
    tensors |= documents("other_a_and_b/0", [23, 25], [0, 1], torch.Generator().manual_seed(1))
    tensors["other_a_and_b/0/tokens"][:23] = (tensors["a_and_b/0/tokens"][:23] + 1) % OLD_ROWS
    tensors["other_a_and_b/0/labels"][:22] = tensors["other_a_and_b/0/tokens"][1:23]
    save_file(tensors, root / "batches.safetensors")
    return Lab(root, LR)
