"""Two processes: a slow one is named, and what stops one stops both after the same step, with one message."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.checkpoint.directory import complete
from pretrain.metrics_file import SPEED, read_metrics
from pretrain.stage import checkpoints_dir
from pretrain.train import train
from tests.pretrain.in_turn import REPOSITORY
from tests.pretrain.test_evaluations import FORGETFUL, with_budget
from tsugiki.processes import run_together

MakeRun = Callable[..., Run]

pytestmark = pytest.mark.slow

# Trains through the command line; forward passes of rank 1 take longer, or its disk is full.
_DISTURBED = """
import errno, os, sys, time
from configs.program import run_program
from pretrain.checkpoint import saver
from pretrain.engines import hf_model

run_file, slower_s, disk, *words = sys.argv[1:]
losses = hf_model.losses

def full(directory, *arguments, **named):
    raise OSError(errno.ENOSPC, "No space left on device", str(directory))

if disk == "full" and os.environ["RANK"] == "1":
    saver.write_files = full

def slow(*arguments):
    time.sleep(float(slower_s) if os.environ["RANK"] == "1" else 0)
    return losses(*arguments)

hf_model.losses = slow
words = [word for given in words for word in ("--set", given)]
sys.argv = ["tsugiki pretrain", "train", run_file, *words]
run_program("tsugiki pretrain", "pretrain.cli")
"""


def stopped(
    root: Path, run: Run, capfd: pytest.CaptureFixture[str], *words: str, slower_s: float = 0.0, disk: str = ""
) -> str:
    """What two processes say that train until something stops them."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", _DISTURBED, str(root / "run.yaml"), str(slower_s), disk]
    with pytest.raises(UserError, match=r"^training stopped: process 0 ended with status 1; its message stands above$"):
        run_together([*command, f"run.dir={run.run.dir}", *words], 2, environment)
    said = capfd.readouterr().err
    assert "Traceback" not in said
    return said


def steps(run: Run) -> list[dict[str, object]]:
    """Of the steps that were taken: everything that may not depend on the number of processes."""
    names = ("step", "tokens", "labelled", "lr", "skipped")
    return [
        {name: line[name] for name in names} for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "step"
    ]


def test_a_slow_rank_is_named_and_what_is_forgotten_stops_both(
    packed: MakeRun, packed_root: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    words = (*FORGETFUL, with_budget(0.0, "stop"), "pretrain.log={every_steps: 1, straggler_intervals: 2}")
    run = packed(*words)
    both = ("pretrain.engine=deepspeed", "pretrain.parallel={processes: 2, zero: 1}")
    said = stopped(packed_root, run, capfd, *words, *both, slower_s=1.0)
    named = r"warning: rank (\d) on (\S+) takes \d+ % longer than the rank in the middle for its own work, 2 interval"
    assert re.findall(named, said) == [("1", socket.gethostname())]
    speeds = read_metrics(checkpoints_dir(run), SPEED)
    assert [(line["step"], line["slowest"]["rank"], line["tokens"]) for line in speeds] == [
        (1, 1, 256), (2, 1, 256), (3, 1, 256)]  # fmt: skip
    assert [[(one["rank"], one["intervals"]) for one in line["stragglers"]] for line in speeds] == [
        [], [(1, 2)], [(1, 3)]]  # fmt: skip
    assert all(line["step_s"] > 2.0 for line in speeds)  # two micro-batches of the slow rank

    message = r"^tsugiki: pretrain\.forgetting: after step 3 the model predicts worse than the untouched base"
    assert len(re.findall(message, said, re.MULTILINE)) == 1
    assert [path.name for path in complete(checkpoints_dir(run))] == ["step-00000003"]
    assert Artifact.open(complete(checkpoints_dir(run))[0]).counts["ranks"] == 2
    alone = packed(*words, f"run.dir={tmp_path}/alone")
    with pytest.raises(UserError, match=r"pretrain\.forgetting: after step 3 "):
        train(alone)
    assert steps(run) == steps(alone)


def test_too_many_skipped_steps_stop_both(
    packed: MakeRun, packed_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("megatron.core", reason="megatron-core is not installed")
    words = (
        "pretrain.guards={max_grad_norm: 1e-6, max_skipped: 2}",
        "pretrain.checkpoint.every_steps=1",
        "pretrain.engine=megatron",
        "pretrain.parallel={processes: 2, tensor: 2}",
    )
    run = packed(*words)
    said = stopped(packed_root, run, capfd, *words)
    assert re.findall(r"pretrain\.guards\S*  warning: step (\d) skipped", said) == ["1", "2", "3"]
    assert said.count("tsugiki: pretrain.guards: 3 steps were skipped, max_skipped is 2") == 1
    assert [step["skipped"] for step in steps(run)] == [True] * 3
    assert [path.name for path in complete(checkpoints_dir(run))] == ["step-00000001", "step-00000002"]


def test_a_disk_that_is_full_for_one_stops_both(
    packed: MakeRun, packed_root: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    words = (
        "pretrain.engine=deepspeed",
        "pretrain.parallel={processes: 2, zero: 1}",
        "pretrain.checkpoint.every_steps=2",
    )
    run = packed(*words)
    said = stopped(packed_root, run, capfd, *words, disk="full")
    assert re.findall(r"^tsugiki: \S+: no space left on the device; ", said, re.MULTILINE) != []
    assert said.count("no space left on the device") == 1
    assert complete(checkpoints_dir(run)) == []
    assert len(steps(run)) < 12
