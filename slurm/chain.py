"""The jobs of a run: submitted once, in their order, and remembered in the run's directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from configs.artifact import MANIFEST
from configs.atomic_file import atomic_file, read_json, write_json
from configs.errors import UserError
from configs.lock import exclusive
from slurm import attempts, batch
from slurm.render import render
from slurm.script import STAGES, BatchStage, Job, scripts_of

CHAIN = "jobs.json"
"""The jobs of the latest submission, by stage, in the order they were submitted."""


@dataclass(frozen=True)
class Step:
    """A stage that is not complete, and the scripts that are to be submitted for it, one after the other."""

    stage: BatchStage
    scripts: tuple[Path, ...]


def write_scripts(job: Job, folder: Path) -> list[Path]:
    """Write the scripts of every stage; gives their paths."""
    if folder == job.folder:
        make_private(job)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths = _paths(job, folder)
    for stage, path in paths.items():
        with atomic_file(path) as out:
            out.write(render(job, stage).encode())
    return list(paths.values())


def _paths(job: Job, folder: Path) -> dict[BatchStage, Path]:
    numbered = enumerate(scripts_of(job.run).values(), start=1)
    return {one: folder / f"{number}-{one.name}.sbatch" for number, scripts in numbered for one in scripts}


def steps(job: Job, directories: Mapping[str, Path], first: str | None) -> list[Step]:
    """What there is to submit.

    Args:
        directories: of the stages; one that has a manifest is complete.
        first: the stage to begin with.
    Raises:
        UserError: if a stage before `first` is not complete.
    """
    names = [stage.name for stage in STAGES]
    begin = 0 if first is None else names.index(first)
    missing = [name for name in names[:begin] if not _complete(directories[name])]
    if missing:
        raise UserError(f"--from {first}: {', '.join(missing)} is not complete; leave --from out to have it done")
    todo = [stage for stage in STAGES[begin:] if not _complete(directories[stage.name])]
    paths, scripts = _paths(job, job.folder), scripts_of(job.run)
    several = 1 if job.site.requeue else job.run.slurm.jobs
    return [
        Step(stage, tuple(paths[one] for one in scripts[stage.name]) * (several if stage.trains else 1))
        for stage in todo
    ]


def submit(job: Job, todo: list[Step]) -> dict[str, list[str]]:
    """Submit what is to do, each stage after the one before; gives the numbers of the jobs by stage.

    Raises:
        UserError: if the run is submitted already, or Slurm refuses; then nothing is left of the chain.
    """
    make_private(job)
    with exclusive(job.folder):
        alive = [number for number, state in batch.states(_numbers(chain_of(job.folder))).items() if state.alive]
        if alive:
            raise UserError(
                f"{job.run.run.dir} is submitted already, as {', '.join(alive)}; `tsugiki slurm status` shows "
                "the jobs, `tsugiki slurm cancel` ends them"
            )
        write_scripts(job, job.folder)
        attempts.forget(job.folder)
        submitted: dict[str, list[str]] = {}
        try:
            for step in todo:
                _submit_step(step, submitted)
                # After each, so that a kill in between leaves no job that nobody knows.
                write_json(job.folder / CHAIN, {"jobs": submitted})
        except UserError:
            batch.cancel(_numbers(submitted))
            raise
    return submitted


def _submit_step(step: Step, submitted: dict[str, list[str]]) -> None:
    before = next(reversed(submitted.values()), [])
    needs = [f"afterok:{before[-1]}"] if before else []
    mine = submitted.setdefault(step.stage.name, [])
    for script in step.scripts:
        # One after the other, however the one before ended: it has said whether the next may go on, and what an array
        # has left undone its successor does.
        mine.append(batch.submit(script, [*needs, *([f"afterany:{mine[-1]}"] if mine else [])]))


def chain_of(folder: Path) -> dict[str, list[str]]:
    """The jobs of the latest submission by stage; none where there was none."""
    path = folder / CHAIN
    if not path.exists():
        return {}
    found: dict[str, list[str]] = read_json(path)["jobs"]
    # The file is sorted by name; the chain has an order.
    return {stage.name: found[stage.name] for stage in STAGES if stage.name in found}


def cancel(folder: Path) -> list[str]:
    """End the jobs of the latest submission that are still alive; gives their numbers.

    Raises:
        UserError: if the run was never submitted.
    """
    numbers = _numbers(submitted_chain(folder))
    known = batch.states(numbers)
    alive = [number for number in numbers if number in known and known[number].alive]
    batch.cancel(alive)
    return alive


def submitted_chain(folder: Path) -> dict[str, list[str]]:
    """As `chain_of`.

    Raises:
        UserError: if the run was never submitted.
    """
    chain = chain_of(folder)
    if not chain:
        raise UserError(f"{folder}: no job was submitted for this run; `tsugiki slurm submit` does it")
    return chain


def _numbers(chain: Mapping[str, list[str]]) -> list[str]:
    return [number for numbers in chain.values() for number in numbers]


def _complete(directory: Path) -> bool:
    return (directory / MANIFEST).exists()


def make_private(job: Job) -> None:
    """A run's directory holds in-house text and its logs; a new one is for its owner alone."""
    job.run.run.dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    job.folder.mkdir(exist_ok=True, mode=0o700)
    job.folder.chmod(0o700)
