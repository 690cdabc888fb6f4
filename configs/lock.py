"""One run at a time in a run directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.errors import UserError, from_os_error

LOCK = ".lock"
"""File by which a directory is held."""

HELD_ABOVE = "TSUGIKI_LOCK_HELD_ABOVE"
"""Environment variable: the directory whose lock the process holds that started this one."""


@contextmanager
def exclusive(directory: Path, *, way_out: str = "name another run.dir") -> Iterator[None]:
    """Hold the directory's lock; the system gives it back when the process ends, however it ends.

    Args:
        way_out: what one can do instead of waiting, for the message.
    Raises:
        UserError: if another process of this machine works there, or the directory cannot be written.
    """
    if os.environ.get(HELD_ABOVE) == str(directory):
        yield
        return
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise from_os_error(error) or error from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise UserError(f"{directory}: process {other} works here; wait for it, or {way_out}") from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
