"""What Slurm's commands say and do."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from configs.errors import UserError

_FIELDS = ("arrayjobid", "state", "reason", "nodelist", "restartcnt", "starttime", "endtime")
_ALIVE = (
    "PENDING",
    "RUNNING",
    "COMPLETING",
    "CONFIGURING",
    "SUSPENDED",
    "REQUEUED",
    "STOPPED",
    "SIGNALING",
    "STAGE_OUT",
)
_TO_ANSWER_S = 60


@dataclass(frozen=True)
class JobState:
    """A job as Slurm knows it."""

    state: str
    """Slurm's word, such as PENDING."""
    reason: str | None = None
    """Why it waits, or ended."""
    nodes: str | None = None
    restarts: int = 0
    start: str | None = None
    end: str | None = None
    """When it will be ended at the latest, or was."""

    @property
    def alive(self) -> bool:
        """Whether something can still come of it."""
        return self.state in _ALIVE


def submit(script: Path, after: Sequence[str]) -> str:
    """Submit a script, and give the job's number.

    Args:
        after: conditions on other jobs, such as afterok:12; a job whose condition cannot come true any more is removed.
    """
    conditions = [f"--dependency={','.join(after)}", "--kill-on-invalid-dep=yes"] if after else []
    return _said("sbatch", "--parsable", *conditions, str(script)).strip().split(";")[0]


def cancel(jobs: Sequence[str]) -> None:
    """End jobs, the last first, so that none starts because of another's end."""
    for job in reversed(jobs):
        _said("scancel", job)


def states(jobs: Sequence[str]) -> dict[str, JobState]:
    """Those of the jobs that Slurm still knows; it forgets old ones, but where it keeps accounts."""
    wanted = ",".join(f"{name}:|" for name in _FIELDS)
    found = _known_to(_said("squeue", "--noheader", "--states=all", "--me", f"--Format={wanted}"), jobs)
    missing = [job for job in jobs if job not in found]
    if missing and shutil.which("sacct") is not None:
        found |= _accounted(missing)
    return found


def hostnames(nodes: str) -> list[str]:
    """The names of nodes that Slurm writes in short, such as node[1-3]."""
    return _said("scontrol", "show", "hostnames", nodes).split()


def _known_to(said: str, jobs: Sequence[str]) -> dict[str, JobState]:
    found: dict[str, list[JobState]] = {}
    for line in said.splitlines():
        job, state, reason, nodes, restarts, start, end = (one.strip() or None for one in line.split("|")[:7])
        if job in jobs and job is not None and state is not None:
            one = JobState(state, _none(reason), nodes, int(restarts or 0), _none(start), _none(end))
            found.setdefault(job, []).append(one)
    return {job: _together(states) for job, states in found.items()}


def _together(states: Sequence[JobState]) -> JobState:
    """The jobs of an array as one: what still runs or waits comes before what failed, and that before what is done."""
    first = min(states, key=lambda one: (one.state != "RUNNING", not one.alive, one.state == "COMPLETED"))
    nodes = sorted({one.nodes for one in states if one.nodes is not None and one.state == first.state})
    return replace(first, nodes=",".join(nodes) or None, restarts=sum(one.restarts for one in states))


def _accounted(jobs: Sequence[str]) -> dict[str, JobState]:
    fields = "--format=JobID,State,Reason,NodeList,Restarts,Start,End"
    asked = ["sacct", "--allocations", "--noheader", "--parsable2", f"--jobs={','.join(jobs)}", fields]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=_TO_ANSWER_S)
    # Without accounting it fails, and nothing is known.
    rows = [line.split("|") for line in done.stdout.splitlines()] if done.returncode == 0 else []
    found: dict[str, list[JobState]] = {}
    for row in rows:
        if len(row) == 7 and row[1]:
            one = JobState(
                row[1].split()[0], _none(row[2]), _none(row[3]), int(row[4] or 0), _none(row[5]), _none(row[6])
            )
            found.setdefault(row[0].split("_")[0], []).append(one)
    return {job: _together(states) for job, states in found.items()}


def _none(word: str | None) -> str | None:
    return None if word in (None, "", "None", "N/A", "Unknown", "None assigned") else word


def _said(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TO_ANSWER_S)
    except FileNotFoundError:
        raise UserError(f"{command[0]}: no such command here; run this where jobs are submitted") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]}: Slurm does not answer; try again later") from None
    if done.returncode:
        raise UserError(f"{command[0]} refuses: {' '.join(done.stderr.split())}")
    return done.stdout
