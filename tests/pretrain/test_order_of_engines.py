"""What real processes feed their engines with: the same sequences in the same steps, however they are shared.

Two processes are in test_staged_runs.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.schema.run import Run
from pretrain.job import Job
from pretrain.metrics_file import read_metrics
from pretrain.stage import checkpoints_dir
from tests.pretrain.in_turn import digests, fed_to, train_in_turn
from tests.tiny import tiny_run

MakeRun = Callable[..., Run]

# Three steps of eight sequences.
SHORT = ("pretrain.batch_tokens=512", "pretrain.stages.all.tokens=1536", "pretrain.checkpoint.every_steps=99")
SHARED = [
    pytest.param("single", 1, [("", 1), ("", 2)], id="one process"),
    pytest.param("deepspeed", 4, [("zero: 2", 1), ("zero: 1", 2)], id="DeepSpeed, four"),
    pytest.param("megatron", 4, [("", 1), ("tensor: 2", 2), ("pipeline: 2", 1)], id="Megatron, four"),
]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("engine", "processes", "cases"), SHARED)
def test_world_size_micro_batch_and_engine_change_no_sequence_of_a_step(
    packed: MakeRun, packed_root: Path, tmp_path: Path, engine: str, processes: int, cases: list[tuple[str, int]]
) -> None:
    if engine != "single":
        pytest.importorskip(engine, reason=f"{engine} is not installed")
    plain = packed(*SHORT)
    runs = []
    for number, (parallel, micro_batch) in enumerate(cases):
        shutil.copytree(plain.run.dir, tmp_path / str(number))
        layout = f"pretrain.parallel={{processes: {processes}, {parallel}}}"
        engine_and_batch = (f"pretrain.engine={engine}", f"pretrain.micro_batch={micro_batch}")
        runs.append([*SHORT, f"run.dir={tmp_path}/{number}", layout, *engine_and_batch])
    train_in_turn(packed_root, runs, processes)
    job = Job.prepare(plain, 1)
    right = [
        [one for batch in job.loader.micro_batches(step, (0, 1)) for one in digests(batch, 64)] for step in range(3)
    ]
    assert len({one for step in right for one in step}) > 12
    for words in runs:
        run = tiny_run(packed_root, *words)
        assert fed_to(run) == right
        order = [line for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "order"]
        assert [(line["samples"], line["sha256"]) for line in order] == [([0, 24], job.plan.digest(0, 24))]
