"""Batch scripts: text that depends on the run file and its site, and on nothing else."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from configs.schema.run import Run
from configs.schema.site import Site
from slurm.container import inside, srun_options

FOLDER = "slurm"
"""Name in the run's directory; holds scripts, logs and what is known of the jobs. Nobody else may look into it."""
PASSED_ON = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "HF_HOME", "SLURM_CONF")
"""Variables that a job gets from whoever submits it; never all, for among them are secrets."""


@dataclass(frozen=True)
class BatchStage:
    """A job of the chain."""

    name: str
    command: str
    """Words after `python -m`."""
    trains: bool = False
    array: int | None = None
    """So many jobs of one array, each with its number in the command; none is one job."""
    ray_nodes: int | None = None
    """So many nodes of a Ray cluster, on each of which the command runs; none is one node."""


STAGES = (
    BatchStage("corpus", "corpus build"),
    BatchStage("tokenizer", "tokenizer extend"),
    BatchStage("pack", "pretrain pack"),
    BatchStage("train", "pretrain train", trains=True),
    BatchStage("export", "pretrain export"),
)


def scripts_of(run: Run) -> dict[str, list[BatchStage]]:
    """What is submitted for each stage, one after the other; the last finishes it."""
    found = {stage.name: [stage] for stage in STAGES}
    if run.corpus.engine == "ray":
        found["corpus"] = [BatchStage("corpus", "corpus on-ray", ray_nodes=run.slurm.corpus_jobs)]
    elif run.slurm.corpus_jobs > 1:
        found["corpus"].insert(0, BatchStage("corpus-array", "corpus share", array=run.slurm.corpus_jobs))
    return found


@dataclass(frozen=True)
class Job:
    """What the scripts of a run are made from."""

    run: Run
    run_file: Path
    site: Site
    python: str
    """The interpreter, where the site names none."""
    overrides: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where scripts and logs are."""
        return self.run.run.dir / FOLDER

    def on_run(self, words: str) -> str:
        """The shell words that do `python -m words RUN.yaml`, where there is such a Python."""
        given = [str(self.run_file), *(word for text in self.overrides for word in ("--set", text))]
        return self.python_module(f"{words} {shlex.join(given)}")

    def python_module(self, words: str) -> str:
        """The shell words that do `python -m words`."""
        python = self.site.python or ("python" if self.site.container is not None else self.python)
        return f"{shlex.quote(python)} -m {words}"

    def inside(self, command: str) -> str:
        """The same in the site's container, if it has one."""
        return inside(self.site.container, command, gpus=self.run.slurm.gpus_per_node > 0)

    def alone(self, command: str) -> str:
        """The line that runs a command once, on the first node."""
        options = ["--nodes=1", "--ntasks=1", f"--cpus-per-task={self.run.slurm.cpus_per_task}"]
        return " ".join(["srun", *options, *srun_options(self.site.container), self.inside(command)])

    def here(self, command: str) -> str:
        """The line that runs a command from the script itself, where its own words are to be the last of the log."""
        container = self.site.container
        return self.alone(command) if container is not None and container.by == "pyxis" else self.inside(command)


def beginning(job: Job, stage: BatchStage) -> list[str]:
    """What every script begins with: what is asked of Slurm, and the environment."""
    asked = [f"#SBATCH {option}" for option in _options(job, stage)]
    return ["#!/bin/bash", *asked, "", "set -euo pipefail", "", *_environment(job, stage)]


def _options(job: Job, stage: BatchStage) -> list[str]:
    settings, site = job.run.slurm, job.site
    nodes = settings.nodes if stage.trains else stage.ray_nodes or 1
    tasks = job.run.pretrain.parallel.processes if stage.trains and settings.launcher == "srun" else 1
    cpus = settings.cpus_per_task
    if stage.trains and settings.launcher == "torchrun":
        cpus *= job.run.pretrain.parallel.processes
    options = [
        f"--job-name={job.run.run.name}-{stage.name}",
        f"--nodes={nodes}",
        f"--ntasks-per-node={tasks}",
        f"--cpus-per-task={cpus}",
        f"--time={settings.time}",
        f"--output={_in_quotes(f'{job.folder}/{log_name(stage)}')}",
        "--open-mode=append",
        *([f"--array=0-{stage.array - 1}"] if stage.array is not None else []),
        "--requeue" if site.requeue else "--no-requeue",
        f"--export={','.join(PASSED_ON)}",
        *(["--no-kill"] if nodes > 1 and stage.ray_nodes is not None else []),
    ]
    chosen = {"partition": settings.partition or site.partition, "account": settings.account or site.account}
    options += [f"--{name}={value}" for name, value in {**chosen, "qos": site.qos}.items() if value is not None]
    if stage.trains:
        options += _of_training(job)
    return [*options, *site.options]


def log_name(stage: BatchStage) -> str:
    """Name of the stage's log, as sbatch fills it in; of an array, of each of its jobs."""
    return f"%j-{stage.name}.log" if stage.array is None else f"%A_%a-{stage.name.removesuffix('-array')}.log"


def _in_quotes(path: str) -> str:
    """Where it must be; sbatch knows double quotes only."""
    return f'"{path}"' if " " in path else path


def _of_training(job: Job) -> list[str]:
    settings = job.run.slurm
    options = [f"--signal=B:USR1@{max(1, round(job.run.pretrain.stop.before_end_s))}"]
    if settings.gpus_per_node:
        options.append(f"--gpus-per-node={settings.gpus_per_node}")
    if settings.memory_gib is not None:
        options.append(f"--mem={settings.memory_gib}G")
    return options


def _environment(job: Job, stage: BatchStage) -> list[str]:
    site, network = job.site, job.site.network
    lines = [
        "umask 077",
        "# srun hands on what is set here, too.",
        "export SLURM_EXPORT_ENV=ALL",
        "# Nodes that compute fetch nothing: what is on the hub was fetched before.",
        "export HF_HUB_OFFLINE=1",
    ]
    if not stage.trains:
        # Not every cluster keeps a process to the cores of its job, and threads that wait for cores make it slow.
        lines.append(f"export OMP_NUM_THREADS={job.run.slurm.cpus_per_task}")
    if site.modules:
        lines += ["module purge", *(f"module load {shlex.quote(module)}" for module in site.modules)]
    values = dict(site.environment)
    if network.interface is not None:
        values |= {"NCCL_SOCKET_IFNAME": network.interface, "GLOO_SOCKET_IFNAME": network.interface}
    values |= {f"NCCL_{name}": value for name, value in network.nccl.items()}
    lines += [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    if site.scratch is not None:
        lines += [f'export TMPDIR="{site.scratch}/tsugiki-$SLURM_JOB_ID"', _on_every_node('mkdir -p "$TMPDIR"')]
    return [*lines, ""]


def _on_every_node(command: str) -> str:
    return f'srun --ntasks="$SLURM_NNODES" --ntasks-per-node=1 --cpus-per-task=1 {command}'
