"""Runs of several processes that go on from a checkpoint: of their own layout, of another, after one was killed."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from pretrain.checkpoint.directory import complete, step_of
from pretrain.metrics_file import read_metrics
from tests.tsugiki.conftest import REPOSITORY, made_by, tsugiki
from tsugiki.processes import run_together

LAYOUTS = {
    "single": ("single", "{}"),
    "zero 1": ("deepspeed", "{processes: 2, zero: 1}"),
    "zero 3": ("deepspeed", "{processes: 2, zero: 3}"),
    "tensor 2": ("megatron", "{processes: 2, tensor: 2}"),
    "pipeline 2": ("megatron", "{processes: 2, pipeline: 2}"),
}


def _words(run_dir: Path, layout: str) -> list[str]:
    engine, parallel = LAYOUTS[layout]
    if engine != "single":
        pytest.importorskip(engine, reason=f"{engine} is not installed")
    settings = ["checkpoint.every_steps=2", "checkpoint.keep_last=9", f"engine={engine}", f"parallel={parallel}"]
    return [word for one in [f"run.dir={run_dir}", *(f"pretrain.{one}" for one in settings)] for word in ("--set", one)]


def _train(root: Path, run_dir: Path, layout: str) -> None:
    done = tsugiki("run", str(root / "run.yaml"), *_words(run_dir, layout))
    assert done.returncode == 0, done.stderr


def _go_back(run_dir: Path, step: int) -> None:
    """Take away what training made after a step; measurements stay, as they do when a run is killed."""
    root = run_dir / "checkpoints"
    (root / "manifest.json").unlink()
    for later in ("model", "report"):
        shutil.rmtree(run_dir / later)
    for checkpoint in complete(root):
        if step_of(checkpoint) > step:
            shutil.rmtree(checkpoint)
    assert step_of(complete(root)[-1]) == step


def _losses(run_dir: Path) -> list[float]:
    return [line["loss_nats"] for line in read_metrics(run_dir / "checkpoints") if line["kind"] == "step"]


def _order(run_dir: Path) -> list[str]:
    return [line["sha256"] for line in read_metrics(run_dir / "checkpoints") if line["kind"] == "order"]


def _of_training(run_dir: Path) -> dict[str, bytes]:
    return {name: content for name, content in made_by(run_dir).items() if name.startswith("checkpoints/")}


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["single", "zero 1", "tensor 2"])
def test_on_the_same_layout_it_ends_with_the_same_bytes(finished: Path, tmp_path: Path, layout: str) -> None:
    run_dir = tmp_path / "run"
    _train(finished, run_dir, layout)
    undisturbed = _of_training(run_dir)
    _go_back(run_dir, 6)
    _train(finished, run_dir, layout)
    assert _of_training(run_dir) == undisturbed


@pytest.mark.slow
def test_from_layout_to_layout_and_back_its_losses_are_those_of_one(finished: Path, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    chain = ["single", "zero 1", "zero 3", "tensor 2", "pipeline 2", "single"]
    for leg, layout in enumerate(chain):
        _train(finished, run_dir, layout)
        held = Artifact.open(run_dir / "checkpoints" / "step-00000012").counts["ranks"]
        assert held == (1 if layout == "single" else 2)
        assert _losses(run_dir) == pytest.approx(_losses(finished / "run"), rel=1e-4), layout
        assert _order(run_dir) == _order(finished / "run")
        if leg + 1 < len(chain):
            _go_back(run_dir, 2 * (leg + 1))


def _start(root: Path, words: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tsugiki", "run", str(root / "run.yaml"), *words]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, cwd=REPOSITORY)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_one_of_two_is_killed_and_named_and_the_same_command_goes_on(finished: Path, tmp_path: Path, rank: int) -> None:
    undisturbed, run_dir = tmp_path / "undisturbed", tmp_path / "run"
    _train(finished, undisturbed, "zero 1")
    for made in ("corpus", "tokenizer", "tokens", "packed"):
        shutil.copytree(undisturbed / made, run_dir / made)
    killed = [sys.executable, "-m", "tests.at_call", "pretrain.step", "lr_by_group", "6", str(rank), "9", "train"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo"}
    told = rf"process {rank} was ended by SIGKILL \(.*\); the same command goes on from the last checkpoint"
    with pytest.raises(UserError, match=told):
        run_together([*killed, str(finished / "run.yaml"), *_words(run_dir, "zero 1")], 2, environment)
    assert complete(run_dir / "checkpoints")
    assert not (run_dir / "checkpoints" / "manifest.json").exists()
    _train(finished, run_dir, "zero 1")
    assert _of_training(run_dir) == _of_training(undisturbed)
    assert not list(run_dir.rglob("*.partial*"))


SEED = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 10**6)))
"""Of the moments below; a failure prints it, and SOAK_SEED=… makes the same ones again."""


@pytest.mark.soak
@pytest.mark.parametrize("number", range(20))
def test_killed_at_twenty_random_moments_of_training_nothing_is_lost(
    finished: Path, tmp_path: Path, number: int
) -> None:
    run_dir = tmp_path / "run"
    metrics = run_dir / "checkpoints" / "metrics.jsonl"
    draw = random.Random(f"{SEED} {number}")
    # Saves go on in most of the time between two steps of a run so small.
    words = [*_words(run_dir, "single"), "--set", "pretrain.checkpoint.every_steps=1"]
    process = _start(finished, words)
    ends = time.monotonic() + 120
    while not metrics.exists() and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.005)
    after_s = draw.uniform(0, 1.5)
    time.sleep(after_s)
    process.kill()
    process.communicate()
    left = sorted(path.name for path in (run_dir / "checkpoints").glob("step-*"))
    moment = f"SOAK_SEED={SEED}, {after_s:.3f} s after the first measurement, which left {left}"
    done = tsugiki("run", str(finished / "run.yaml"), *words)
    assert done.returncode == 0, f"{moment}\n{done.stderr}"
    assert _losses(run_dir) == _losses(finished / "run"), moment
    assert _order(run_dir) == _order(finished / "run"), moment
    assert _of_training(run_dir) == _of_training(finished / "run"), moment
    assert not list(run_dir.rglob("*.partial*")), moment
