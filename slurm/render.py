"""Batch scripts: text that depends on the run file and nothing else."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from configs.schema.run import Run

# What torch.distributed reads, from what srun gives each process.
_AS_RANK = "export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID"


@dataclass(frozen=True)
class BatchStage:
    """A job of the chain."""

    name: str
    command: str
    """Words after `python -m`."""
    trains: bool = False


STAGES = (
    BatchStage("corpus", "corpus build"),
    BatchStage("tokenizer", "tokenizer extend"),
    BatchStage("pack", "pretrain pack"),
    BatchStage("train", "pretrain train", trains=True),
    BatchStage("export", "pretrain export"),
)


def render(run: Run, run_file: Path, stage: BatchStage) -> str:
    """The sbatch script of one stage, to be submitted from the directory the run file's paths start at."""
    lines = ["#!/bin/bash", *_directives(run, stage), "", "set -euo pipefail", ""]
    command = f"python -m {stage.command} {shlex.quote(str(run_file))}"
    if stage.trains:
        lines += _launch(run, command)
    else:
        lines.append(f"srun --ntasks=1 --cpus-per-task={run.slurm.cpus_per_task} {command}")
    return "\n".join(lines) + "\n"


def _directives(run: Run, stage: BatchStage) -> list[str]:
    settings = run.slurm
    nodes = settings.nodes if stage.trains else 1
    tasks = run.pretrain.parallel.processes if stage.trains else 1
    options = [
        f"--job-name={run.run.name}-{stage.name}",
        f"--nodes={nodes}",
        f"--ntasks-per-node={tasks}",
        f"--cpus-per-task={settings.cpus_per_task}",
        f"--time={settings.time}",
        f"--output={run.run.dir}/slurm/%x-%j.log",
        "--open-mode=append",
    ]
    if settings.partition is not None:
        options.append(f"--partition={settings.partition}")
    if settings.account is not None:
        options.append(f"--account={settings.account}")
    if stage.trains and settings.gpus_per_node:
        options.append(f"--gpus-per-node={settings.gpus_per_node}")
    if stage.trains and settings.memory_gib is not None:
        options.append(f"--mem={settings.memory_gib}G")
    return [f"#SBATCH {option}" for option in options]


def _launch(run: Run, command: str) -> list[str]:
    """One process per task, started by srun itself: torchrun would swallow the signals of the batch system."""
    tasks = run.slurm.nodes * run.pretrain.parallel.processes
    if tasks == 1:
        return [f"srun --ntasks=1 --cpus-per-task={run.slurm.cpus_per_task} {command}"]
    return [
        'MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
        "MASTER_PORT=$((10000 + SLURM_JOB_ID % 50000))",
        "export MASTER_ADDR MASTER_PORT OMP_NUM_THREADS=1",
        "",
        f"srun --ntasks={tasks} --cpus-per-task={run.slurm.cpus_per_task} --kill-on-bad-exit=1 \\",
        f"  bash -c '{_AS_RANK}; exec \"$@\"' train \\",
        f"  {command}",
    ]
