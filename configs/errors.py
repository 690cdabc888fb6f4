"""What the user can mend: one clear line each, never a traceback.

Everything else that is raised is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass


class UserError(Exception):
    """Something outside the program is not as it must be: the message says where, what, and the way out."""

    exit_code = 1


@dataclass(frozen=True, order=True)
class Place:
    """Where a value stands: a file with line and column (from 1), or the `--set` that gave it (line 0)."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a run file."""

    place: Place
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.message}" if self.key else f"{self.place}: {self.message}"


class ConfigError(UserError):
    """The run file, a preset or the command line is wrong; all problems are told at once."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems)
        lines = [str(problem) for problem in self.problems]
        super().__init__("\n".join([*lines, f"{len(lines)} problem(s); nothing was started"]))


class AgreedError(UserError):
    """Every process of a run raises it, for the same reason in the same words; the first of them tells it."""


class UnfinishedError(AgreedError):
    """The work was asked to stop and has saved; the same command goes on from there."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h: try again later


_WAY_OUT = {
    errno.ENOSPC: "no space left on the device; free some and run the same command again, finished work is kept",
    errno.EDQUOT: "the disk quota is used up; free some and run the same command again, finished work is kept",
    errno.EFBIG: "the file would grow beyond the allowed size; raise the limit (ulimit -f) and run again",
    errno.EACCES: "no permission; give this user access, or name another directory",
    errno.EPERM: "not permitted; give this user access, or name another directory",
    errno.EROFS: "the file system is read-only; name another directory",
    errno.ENAMETOOLONG: "the path is too long for the file system; name a shorter directory",
    errno.ENOTDIR: "a part of the path is a file, not a directory",
    errno.EEXIST: "a file of that name is in the way",
    errno.EMFILE: "too many open files; raise the limit (ulimit -n) and run again",
    errno.EIO: "the device reported an input/output error; check the disk or the network mount",
}


def from_os_error(error: OSError) -> UserError | None:
    """The user's view of a failed system call; None when it is no condition a user can mend.

    >>> import errno
    >>> str(from_os_error(OSError(errno.ENOSPC, "No space left on device", "runs/a/part.parquet")))[:57]
    'runs/a/part.parquet: no space left on the device; free so'
    """
    way_out = _WAY_OUT.get(error.errno or 0)
    if way_out is None:
        return None
    where = error.filename if error.filename is not None else "the output"
    return UserError(f"{where}: {way_out}")
