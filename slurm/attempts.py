"""Whether a training that ended, or begins again, may go on: what the training job asks before and after.

Only what is not finished goes on: stopped and saved, or left by a node. What else ends it, or three starts without a
step more in a checkpoint, is written to stopped.json with its reason, and nothing goes on until the run is submitted
again.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST
from configs.atomic_file import read_json, write_json
from configs.errors import UserError

STARTS, STOPPED, EXCLUDED = "starts.jsonl", "stopped.json", "excluded.json"
"""Every start of training; why nothing goes on; nodes that are left out, with their reasons."""
AGAIN = 75
"""Exit status: not finished, goes on."""
MAX_STARTS = 3
"""Without progress."""
GOES_ON = "training is not finished, and goes on from its last checkpoint"
BEGINS_AGAIN = "training begins again without "
"""How the last words of a start begin that another one follows, in the same log."""

_WORDS = {
    1: "an error",
    2: "a wrong run file",
    9: "SIGKILL",
    134: "an abort",
    137: "SIGKILL, perhaps for want of memory",
    143: "SIGTERM",
}
_SIGNALLED = 128
"""A higher status is that of a process that a signal ended."""
_LAST_BYTES = 65536


def forget(folder: Path) -> None:
    """A new chain begins."""
    for name in (STARTS, STOPPED, EXCLUDED):
        (folder / name).unlink(missing_ok=True)


def starts(folder: Path) -> list[dict[str, Any]]:
    """Every start of training since the run was submitted: job, restart, time, and the step it began at."""
    path = folder / STARTS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def why_stopped(folder: Path) -> str | None:
    """Why training must not go on, if it must not."""
    path = folder / STOPPED
    return str(read_json(path)["reason"]) if path.exists() else None


def excluded(folder: Path) -> dict[str, dict[str, Any]]:
    """Nodes that are left out since the run was submitted, each with `reason`, `job` and `time`."""
    path = folder / EXCLUDED
    found: dict[str, dict[str, Any]] = read_json(path) if path.exists() else {}
    return found


def said_before(folder: Path, job: str) -> int:
    """Bytes of a job's log that are of starts before its latest one."""
    of_job = [start for start in starts(folder) if start["job"] == job]
    return int(of_job[-1]["log_bytes"]) if of_job else 0


def saved_step(checkpoints: Path) -> int:
    """The last step that a complete checkpoint has; 0 where there is none."""
    found = [path.parent.name for path in checkpoints.glob(f"step-*/{MANIFEST}") if "." not in path.parent.name]
    return max((int(name.removeprefix("step-")) for name in found), default=0)


def refuse_stopped(folder: Path) -> None:
    """See that training may go on.

    Raises:
        UserError: if it must not, with the reason.
    """
    why = why_stopped(folder)
    if why is not None:
        raise UserError(f"training does not go on: {why}")


def begin(folder: Path, checkpoints: Path, log: Path) -> None:
    """Write down that training starts.

    Args:
        log: of the job; what stands in it by now is of earlier starts.
    Raises:
        UserError: if it must not, with the reason.
    """
    refuse_stopped(folder)
    step = saved_step(checkpoints)
    before = [start["step"] for start in starts(folder)]
    if before[-MAX_STARTS:] == [step] * MAX_STARTS and not (checkpoints / MANIFEST).exists():
        raise stopped(
            folder,
            f"{MAX_STARTS} starts have not brought it beyond step {step}; save more often (pretrain.checkpoint."
            "every_steps) or take a longer slurm.time, and look at the end of each start in the log",
        )
    start = {
        "job": os.environ.get("SLURM_JOB_ID"),
        "restart": int(os.environ.get("SLURM_RESTART_COUNT", "0")),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "step": step,
        "log_bytes": log.stat().st_size if log.exists() else 0,
    }
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(folder / STARTS, "a", encoding="utf-8") as out:
        out.write(json.dumps(start) + "\n")


def end(folder: Path, checkpoints: Path, log: Path, status: int, *, nodes_answer: bool) -> int:
    """What a training that has ended is followed by: 0 for what comes after it, `AGAIN` for itself.

    Args:
        status: of srun; 0 is finished, or stopped and saved.
        nodes_answer: whether every node of the job still does.
    Raises:
        UserError: if it failed, with the reason.
    """
    if (checkpoints / MANIFEST).exists():
        return 0
    if status == 0 or not nodes_answer:
        return AGAIN
    began = starts(folder)
    told = last_error(log, began[-1]["log_bytes"] if began else 0)
    words = _WORDS.get(status, f"status {status}")
    if told is not None and status > _SIGNALLED:
        words = "an error"  # for which srun has ended the other processes
    raise stopped(folder, f"training ended by {words}: {told or 'its last words are in the log'}")


def last_error(log: Path, after: int = 0) -> str | None:
    """The last message of ours in a log; none where it is that another start follows, which has said nothing yet.

    Args:
        after: so many bytes of it do not count.
    """
    if not log.exists():
        return None
    with open(log, "rb") as file:
        file.seek(max(after, log.stat().st_size - _LAST_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    for number, line in reversed(list(enumerate(lines))):
        if line.startswith("tsugiki: "):
            told = line.removeprefix("tsugiki: ")
            return None if told.startswith((GOES_ON, BEGINS_AGAIN)) else told
        if number and line.endswith("problem(s); nothing was started"):
            return lines[number - 1]
    return None


def stopped(folder: Path, reason: str) -> UserError:
    """Let nothing go on until the run is submitted again; gives the error to raise."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(folder / STOPPED, {"reason": reason})
    return UserError(f"training does not go on: {reason}")
