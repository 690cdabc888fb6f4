"""One process of an engine under test: does what a job file says and writes down what it saw.

    python driver.py JOB.json OUT_DIR

A job is a list of cases; a case builds an engine and runs a list of commands, each a name and keyword arguments.
It is a program of its own because an engine is one process among several, each with its own framework state.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.engine_lab.allocated import state_bytes
from configs.artifact import Artifact
from configs.errors import UserError
from configs.program import leave
from configs.schema.pretrain import Optim, Parallel
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.commit import commit
from pretrain.checkpoint.directory import partial_dir, step_dir
from pretrain.checkpoint.hf_reader import GraftedReader, HfFolderReader
from pretrain.checkpoint.part_file import write_part
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines import process_group
from pretrain.engines.base import Engine, EngineSpec, Group, Kind, Limits
from pretrain.engines.build import build_engine
from pretrain.engines.next_tokens import Choice
from pretrain.micro_batch import NO_LABEL, MicroBatch
from pretrain.samples import continued


class Case:
    """An engine and what is done with it."""

    def __init__(self, case: dict[str, Any]) -> None:
        self._case = case
        self._rank, self._ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self._tensors = load_file(case["batches"])
        self._engine: Engine = build_engine(
            case["engine"],
            EngineSpec(
                hf_dir=Path(case["hf"]),
                vocab_rows=case["vocab_rows"],
                first_new_row=case["first_new_row"],
                train=case.get("train", "all"),
                optim=Optim(**case.get("optim", {})),
                parallel=Parallel(**case.get("parallel", {})),
                precision=case.get("precision", "fp32"),
                recompute=case.get("recompute", "none"),
                rope_base=case.get("rope_base"),
                attention=case.get("attention", "sdpa"),
            ),
        )

    def run(self) -> list[Any]:
        commands: dict[str, Callable[..., Any]] = {
            "load_base": self.load_base,
            "load": self.load,
            "steps": self.steps,
            "eval": self.eval,
            "save": self.save,
            "write_on": self.write_on,
            "layer_passes": self.layer_passes,
            "state_bytes": lambda: state_bytes(self._engine),
            "version": lambda module: import_module(module).__version__,
        }
        try:
            return [commands[name](**arguments) for name, arguments in self._case["do"]]
        finally:
            self._engine.close()

    def load_base(self, broken: bool = False) -> None:
        folder = HfFolderReader(Path(self._case["hf"]))
        reader = GraftedReader(folder, self._case["first_new_row"], load_file(self._case["new_rows"]))
        self._engine.load_state(_Broken(reader) if broken else reader, 0)

    def load(self, root: str, step: int, moments: bool = True) -> None:
        artifact = Artifact.open(step_dir(Path(root), step))
        self._engine.load_state(CheckpointReader(artifact, moments=moments), step)

    def steps(
        self, first: int, last: int, lr: dict[Group, float], limits: dict[str, float]
    ) -> list[tuple[float, int, float, bool]]:
        seen = []
        for step in range(first, last):
            sums = self._engine.train_step(self._batches(f"step{step}"), lr, Limits(**limits))
            seen.append((sums.nll, sums.tokens, sums.grad_norm, sums.skipped))
        return seen

    def eval(self, batches: str) -> list[tuple[int, float, int]]:
        return [(source, *sums) for source, sums in sorted(self._engine.eval_sums(self._batches(batches)).items())]

    def write_on(
        self, prompts: list[list[int]], tokens: int, known: int
    ) -> tuple[list[list[int]], list[Any], list[Any]]:
        """Greedy continuations, and the five likeliest tokens after each prompt with their probabilities."""
        written, first = continued(self._engine, prompts, tokens, Choice(known, 5))
        return written, first.ids_NK.tolist(), first.probabilities_NK.tolist()

    def layer_passes(self) -> int:
        """How often the feed-forward part of a layer runs on this rank in a training step.

        Counted before it runs: torch leaves a layer that it computes again as soon as it has what it needs.
        """
        passes = 0

        def count(module: torch.nn.Module, *_: Any) -> None:
            nonlocal passes
            passes += type(module).__name__ in ("MLP", "LlamaMLP")

        hook = torch.nn.modules.module.register_module_forward_pre_hook(count)
        no_rates: dict[Group, float] = {"matrices": 0.0, "vectors": 0.0, "embeddings": 0.0, "new_rows": 0.0}
        self.steps(0, 1, no_rates, limits={"grad_norm": 1e9})
        hook.remove()
        return passes

    def save(self, root: str, step: int) -> None:
        partial = partial_dir(Path(root), step, "test")
        partial.mkdir(parents=True, exist_ok=True)
        write_part(partial, self._rank, list(self._engine.local_state()))
        if self._rank == 0:
            commit(Path(root), step, "test", self._ranks, {}, timeout_s=60)
        if self._ranks > 1:
            torch.distributed.barrier()

    def _batches(self, name: str) -> list[MicroBatch]:
        """This rank's; in training equally many on each, filled up with ones that have nothing to predict."""
        rank, size = self._engine.data_rank
        names = sorted({key.rsplit("/", 1)[0] for key in self._tensors if key.startswith(f"{name}/")})
        share = [
            MicroBatch(
                tokens_T=self._tensors[f"{micro}/tokens"],
                labels_T=self._tensors[f"{micro}/labels"],
                positions_T=self._tensors[f"{micro}/positions"],
                cu_seqlens=self._tensors[f"{micro}/cu_seqlens"],
                source_T=self._tensors[f"{micro}/source"],
            )
            for micro in names[rank::size]
        ]
        missing = -(-len(names) // size) - len(share) if name.startswith("step") else 0
        return share + [replace(one, labels_T=torch.full_like(one.labels_T, NO_LABEL)) for one in share[:1]] * missing


class _Broken:
    """Weights of which one is not a number."""

    has_moments = False

    def __init__(self, reader: GraftedReader) -> None:
        self._reader = reader

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        values = self._reader.read(name, box, kind)
        return values * torch.nan if name == "model.norm.weight" else values


def main(job: Path, out: Path) -> None:
    results: dict[str, Any] = {}
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)  # as the training loop does; it also fills new memory with NaN
    faulthandler.register(signal.SIGUSR1)
    for case in json.loads(job.read_text()):
        began = time.monotonic()
        sys.stderr.write(f"{case['name']}\n")
        try:
            results[case["name"]] = Case(case).run()
        except UserError as error:
            results[case["name"]] = {"user_error": str(error)}
        results[f"{case['name']} seconds"] = time.monotonic() - began
    (out / f"rank{os.environ.get('RANK', 0)}.json").write_text(json.dumps(results))
    process_group.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    leave(0)  # a thread of DeepSpeed's or gloo's may abort an interpreter that is taken down
