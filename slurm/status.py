"""Where the jobs of a run stand, put together from Slurm, the stages' directories and what training writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST
from configs.schema.run import Run
from slurm import attempts, batch
from slurm.batch import JobState
from slurm.chain import submitted_chain
from slurm.script import FOLDER, STAGES
from slurm.training import Training, last_lines

_WORDS = {"PENDING": "waiting", "RUNNING": "running", "COMPLETING": "ending", "CANCELLED": "cancelled"}
_ENDED_EARLY = ("failed", "cancelled", "node_fail", "timeout", "out_of")
_LINES = 3


@dataclass(frozen=True)
class StageStatus:
    """A stage of the chain."""

    stage: str
    state: str
    """complete, waiting, running, ending, stopped, cancelled, unknown, or Slurm's word in small letters."""
    jobs: tuple[str, ...]
    alive: bool = False
    """Whether one of its jobs waits or runs."""
    reason: str | None = None
    """Why it waits, stopped or failed."""
    nodes: str | None = None
    restarts: int = 0
    start: str | None = None
    training: Training | None = None
    expected_end: str | None = None
    log: str | None = None
    last_lines: tuple[str, ...] = ()
    excluded: dict[str, str] = field(default_factory=dict)
    """Nodes that are left out, with the reason."""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self)


def status(run: Run, directories: Mapping[str, Path]) -> list[StageStatus]:
    """Every stage, in order.

    Raises:
        UserError: if the run was never submitted, or Slurm does not answer.
    """
    folder = run.run.dir / FOLDER
    chain = submitted_chain(folder)
    known = batch.states([number for numbers in chain.values() for number in numbers])
    return [_of(run, stage.name, directories[stage.name], chain.get(stage.name, []), known) for stage in STAGES]


def _of(run: Run, name: str, directory: Path, numbers: Sequence[str], known: Mapping[str, JobState]) -> StageStatus:
    folder = run.run.dir / FOLDER
    job, found = _current(numbers, known)
    training = Training.of(directory, run.pretrain) if name == "train" else None
    state, reason = _state_of(directory, found), found.reason if found is not None else None
    stopped = attempts.why_stopped(folder) if name == "train" else None
    if stopped is not None and state != "complete":
        state, reason = "stopped", stopped
    log = _log_of(folder, job, name) if job is not None else None
    lines = last_lines(log) if log is not None else []
    if log is not None and found is not None and state.startswith(_ENDED_EARLY):
        before = attempts.said_before(folder, job) if name == "train" and job is not None else 0
        reason = attempts.last_error(log, before) or reason
    return StageStatus(
        stage=name,
        state=state,
        jobs=tuple(numbers),
        alive=found is not None and found.alive,
        reason=None if state in ("complete", "running") else reason,
        nodes=found.nodes if found is not None else None,
        restarts=_restarts(folder, numbers, known) if name == "train" else found.restarts if found is not None else 0,
        start=found.start if found is not None else None,
        training=training,
        expected_end=training.ends(datetime.now(UTC)) if training is not None and state == "running" else None,
        log=str(log) if lines else None,
        last_lines=tuple(line for line in lines if line.strip())[-_LINES:],
        excluded={node: one["reason"] for node, one in attempts.excluded(folder).items()} if name == "train" else {},
    )


def _log_of(folder: Path, job: str, name: str) -> Path:
    """Of the jobs of an array, the one that was written to last."""
    of_array = sorted(folder.glob(f"{job}_*-{name}.log"), key=lambda path: path.stat().st_mtime_ns)
    return of_array[-1] if of_array else folder / f"{job}-{name}.log"


def _current(numbers: Sequence[str], known: Mapping[str, JobState]) -> tuple[str | None, JobState | None]:
    """Of several jobs of a stage the first that still lives, else the last."""
    for number in numbers:
        if number in known and known[number].alive:
            return number, known[number]
    last = numbers[-1] if numbers else None
    return last, known.get(last) if last is not None else None


def _state_of(directory: Path, found: JobState | None) -> str:
    if (directory / MANIFEST).exists():
        return "complete"
    return _WORDS.get(found.state, found.state.lower()) if found is not None else "unknown"


def _restarts(folder: Path, numbers: Sequence[str], known: Mapping[str, JobState]) -> int:
    """By Slurm and by its jobs; a start that was cut off before it could be written down counts, too."""
    by_slurm = sum(known[number].restarts for number in numbers if number in known)
    return max(by_slurm, len(attempts.starts(folder)) - 1, 0)


def lines(found: Sequence[StageStatus]) -> list[str]:
    """For people."""
    told = []
    for one in found:
        jobs = (
            f"job {one.jobs[0]}" if len(one.jobs) == 1 else f"jobs {one.jobs[0]} to {one.jobs[-1]}" if one.jobs else ""
        )
        facts = [jobs, one.nodes or "", f"{one.restarts} restart(s)" if one.restarts else "", one.reason or ""]
        told.append(f"{one.stage:<10} {one.state:<10} {'  '.join(fact for fact in facts if fact)}".rstrip())
        told += [f"{'':<10} left out: {node}: {why}" for node, why in one.excluded.items()]
        if one.training is not None and one.training.step:
            told.append(
                f"{'':<10} {_progress(one.training)}" + (f"  ends {one.expected_end}" if one.expected_end else "")
            )
            if one.state == "running":
                told += [f"{'':<10} {_straggler(slow)}" for slow in one.training.stragglers]
        if one.state not in ("complete", "waiting"):
            told += [f"{'':<10} | {line}" for line in one.last_lines]
    return told


def _straggler(slow: Mapping[str, Any]) -> str:
    return (
        f"rank {slow['rank']} on {slow['host']} holds the others up: {slow['behind'] * 100:.0f} % slower than the rank "
        f"in the middle, {slow['intervals']} measurement(s) in a row"
    )


def _progress(training: Training) -> str:
    speed = f"  {training.tokens_per_s:,.0f} tokens/s" if training.tokens_per_s else ""
    used = f"  MFU {training.utilisation * 100:.1f} %" if training.utilisation else ""
    return f"step {training.step}/{training.steps}  {training.tokens:,} tokens{speed}{used}"
