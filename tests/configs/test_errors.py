"""What the user reads when something outside the program is wrong."""

from __future__ import annotations

import errno
import os

import pytest

from configs.errors import ConfigError, Place, Problem, UserError, from_os_error


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "no space left on the device; free some and run the same command again, finished work is kept"),
        (errno.EDQUOT, "the disk quota is used up; free some and run the same command again, finished work is kept"),
        (errno.EFBIG, "the file would grow beyond the allowed size; raise the limit (ulimit -f) and run again"),
        (errno.EACCES, "no permission; give this user access, or name another directory"),
        (errno.EPERM, "not permitted; give this user access, or name another directory"),
        (errno.EROFS, "the file system is read-only; name another directory"),
        (errno.ENAMETOOLONG, "the path is too long for the file system; name a shorter directory"),
        (errno.ENOTDIR, "a part of the path is a file, not a directory"),
        (errno.EEXIST, "a file of that name is in the way"),
        (errno.EMFILE, "too many open files; raise the limit (ulimit -n) and run again"),
        (errno.EIO, "the device reported an input/output error; check the disk or the network mount"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else "",
)
def test_a_failed_system_call_is_told_with_the_way_out(code: int, message: str) -> None:
    told = from_os_error(OSError(code, os.strerror(code), "runs/a"))
    assert str(told) == f"runs/a: {message}"
    assert str(from_os_error(OSError(code, os.strerror(code)))) == f"the output: {message}"


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "none", "x"), OSError("no number"), OSError()], ids=repr)
def test_what_no_user_can_mend_is_left_alone(error: OSError) -> None:
    assert from_os_error(error) is None


def test_problems_are_told_in_the_order_of_their_places() -> None:
    problems = [
        Problem(Place("run.yaml", 10, 1), "b", "two"),
        Problem(Place("run.yaml", 9, 12), "a", "one"),
        Problem(Place("--set x=1"), "x", "first"),
        Problem(Place("run.yaml", 9, 3), "", "no key"),
    ]
    assert str(ConfigError(problems)).splitlines() == [
        "--set x=1: x: first",
        "run.yaml:9:3: no key",
        "run.yaml:9:12: a: one",
        "run.yaml:10:1: b: two",
        "4 problem(s); nothing was started",
    ]


def test_the_exit_status_tells_a_wrong_run_file_from_a_wrong_world() -> None:
    assert (UserError("x").exit_code, ConfigError([]).exit_code) == (1, 2)
    assert isinstance(ConfigError([]), UserError)
