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
    with _held(directory, fcntl.LOCK_EX, way_out):
        yield


@contextmanager
def together(directory: Path) -> Iterator[None]:
    """Work in a directory beside others that do so too, and beside nobody who needs it alone.

    Raises:
        UserError: if somebody does, or the directory cannot be written.
    """
    with _held(directory, fcntl.LOCK_SH, "name another run.dir"):
        yield


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold a file's lock, or learn that another process does; on a file system with locks, on whatever machine.

    Raises:
        UserError: if the file cannot be written.
    """
    handle = _opened(path)
    try:
        yield _locked(handle, fcntl.LOCK_EX)
    finally:
        _close(handle)


@contextmanager
def _held(directory: Path, how: int, way_out: str) -> Iterator[None]:
    handle = _opened(directory / LOCK)
    try:
        if not _locked(handle, how):
            other = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            raise UserError(f"{directory}: process {other} works here; wait for it, or {way_out}")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        _close(handle)


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise from_os_error(error) or error from error
    _open_here.add(handle)
    return handle


def _close(handle: int) -> None:
    if handle in _open_here:
        _open_here.remove(handle)
        os.close(handle)


def _close_all() -> None:
    for handle in tuple(_open_here):
        _close(handle)


_open_here: set[int] = set()
# A copy of this process would hold its locks, too, and for as long as it lives.
os.register_at_fork(after_in_child=_close_all)


def _locked(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
