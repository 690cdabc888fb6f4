"""What a checkpoint costs: how long training stands still for it, and how fast it is written and read."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.figures import Figures, best_seconds, figure
from benchmarks.one_llama import Size, take_step
from configs.artifact import Artifact
from configs.schema.pretrain import Checkpoint
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.saver import Saver
from pretrain.engines.base import Engine

_SIZE = Size("SmolLM2-135M", 576, 1536, 30, 9, 3, 49_152, 1024)


def measure() -> Figures:
    """A model of SmolLM2-135M's shape, in steps of 1,024 tokens: a fraction of a step of real training."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "hf").mkdir()
        _SIZE.written(root / "hf")
        engine, tokens_T = _SIZE.engine("single", root / "hf"), _SIZE.text()

        def step() -> None:
            take_step(engine, tokens_T)

        step_s = best_seconds(step, rounds=3)
        stall_s, beside_s = beside_a_save(engine, root / "beside", step)
        checkpoint, write_s = _written(engine, root / "alone")
        copy_s = _copied(checkpoint.dir, root / "copy")
        began = time.perf_counter()
        engine.load_state(CheckpointReader(checkpoint), 1)
        read_s = time.perf_counter() - began
        megabytes = sum(path.stat().st_size for path in checkpoint.dir.iterdir()) / 1e6
    copied = megabytes / copy_s
    return {
        "checkpoint/stall": figure(stall_s / step_s, "steps", limit=1.0, step_seconds=step_s),
        "checkpoint/step_beside_a_save": figure(beside_s / step_s, "steps", undisturbed=1.0),
        "checkpoint/write": figure(megabytes / write_s, "MB/s", copy_of_the_files=copied),
        "checkpoint/read": figure(megabytes / read_s, "MB/s", copy_of_the_files=copied),
    }


def beside_a_save(engine: Engine, root: Path, step: Callable[[], None]) -> tuple[float, float]:
    """Seconds until training may go on, and of the step that follows, during which the files are written.

    Args:
        root: a directory that is made.
        step: trains.
    """
    root.mkdir()
    with Saver(root, {}, _nothing) as saver:
        saver.prepare(engine, lambda name: True, Checkpoint(), [1])
        began = time.perf_counter()
        saver.start(engine, 1, {})
        went_on = time.perf_counter()
        step()
        ended = time.perf_counter()
        saver.wait()
    return went_on - began, ended - went_on


def _written(engine: Engine, root: Path) -> tuple[Artifact, float]:
    root.mkdir()
    with Saver(root, {}, _nothing, asynchronous=False) as saver:
        began = time.perf_counter()
        saver.start(engine, 1, {})
        seconds = time.perf_counter() - began
        checkpoint = saver.wait()
    assert checkpoint is not None
    return checkpoint, seconds


def _copied(directory: Path, to: Path) -> float:
    """Seconds to copy the files and to have them on the disk."""
    began = time.perf_counter()
    to.mkdir()
    for path in directory.iterdir():
        with open(path, "rb") as source, open(to / path.name, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 24)
            target.flush()
            os.fsync(target.fileno())
    return time.perf_counter() - began


def _nothing() -> None:
    """Remove no checkpoint."""
