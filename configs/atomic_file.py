"""Files that appear under their final name only when they are whole."""

from __future__ import annotations

import hashlib
import io
import json
import os
import socket
import uuid
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from configs.errors import UserError, from_os_error

TEMPORARY = ".partial"

_WRITE_BYTES = 1 << 18
"""Most bytes given to the kernel at once: in writes of 4 MiB a gigabyte cost Linux 6.18 1.8 to 2.3 s of CPU time, in
writes of 256 KiB 0.4 s (`dd`, ext4, a virtual machine with fragmented memory)."""

_BUFFER_BYTES = 1 << 16
"""Of what is written in small pieces; larger ones must not be copied into a buffer first."""

_LENT = 4
"""Large pieces that are hashed and not written yet."""

_WRITE_BACK_BYTES = 1 << 25
"""After so many the disk begins to write, so that less is left to wait for at the end."""


class HashingFile(io.RawIOBase):
    """A binary file for writing that knows the SHA-256 and size of what went through it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._sha256 = hashlib.sha256()
        self._bytes = self._written = self._begun = 0
        # Start no thread before they are needed.
        self._beside, self._flusher = ThreadPoolExecutor(1, "file"), ThreadPoolExecutor(1, "flush")
        self._lent: deque[Future[None]] = deque()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        if view.nbytes > _WRITE_BYTES and isinstance(data, memoryview) and view.readonly:
            self._borrow(view.cast("B"))
            return view.nbytes
        self._write_lent(keep=0)
        if view.nbytes > _WRITE_BYTES:
            self._write_large(view.cast("B"))
        else:
            self._sha256.update(view)
            self._raw.write(view)
            self._wrote(view.nbytes)
        self._bytes += view.nbytes
        return view.nbytes

    def _borrow(self, view: memoryview) -> None:
        """Hash now, while the caller's processor has the bytes in its cache, and write later.

        Who gives a read-only memoryview leaves its memory as it is until the file is closed.
        """
        self._sha256.update(view)
        self._lent.append(self._beside.submit(self._write_pieces, view))
        self._bytes += view.nbytes
        self._write_lent(keep=_LENT)

    def _write_lent(self, keep: int) -> None:
        """Wait until all that was borrowed is written but the last few pieces."""
        while len(self._lent) > keep:
            self._lent.popleft().result()

    def _write_large(self, view: memoryview) -> None:
        """Hash and write beside each other; the caller may change the memory when this returns."""
        hashed = self._beside.submit(self._sha256.update, view)
        try:
            self._write_pieces(view)
        finally:
            hashed.result()

    def _write_pieces(self, view: memoryview) -> None:
        for start in range(0, view.nbytes, _WRITE_BYTES):
            self._raw.write(view[start : start + _WRITE_BYTES])
        self._wrote(view.nbytes)

    def _wrote(self, count: int) -> None:
        self._written += count
        if self._written - self._begun >= _WRITE_BACK_BYTES:
            self._raw.flush()
            # Of pages that are not written yet, Linux takes this advice as: write them soon. They stay cached.
            # The call waits while the disk has enough to do, so another thread makes it.
            begun, self._begun = self._begun, self._written
            advice = (self._raw.fileno(), begun, self._written - begun, os.POSIX_FADV_DONTNEED)
            self._flusher.submit(os.posix_fadvise, *advice)

    def end_threads(self) -> None:
        """Wait for what is done beside the writing; before the file is closed."""
        self._beside.shutdown()
        self._flusher.shutdown()

    def tell(self) -> int:
        return self._bytes

    def flush(self) -> None:
        # io calls this again when the object is collected, after the file beneath is closed.
        if not self._raw.closed:
            self._write_lent(keep=0)
            self._raw.flush()

    @property
    def record(self) -> dict[str, Any]:
        """Size and digest of what was written so far."""
        return {"bytes": self._bytes, "sha256": self._sha256.hexdigest()}


@contextmanager
def atomic_file(path: Path) -> Iterator[HashingFile]:
    """Write `path` as a whole or not at all: temporary name of this attempt, fsync, rename.

    Raises:
        UserError: if the disk is full, the place is not writable, and the like; nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}{TEMPORARY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb", buffering=_BUFFER_BYTES) as raw:
            writer = HashingFile(raw)
            try:
                yield writer
                writer.flush()
            finally:
                writer.end_threads()
            os.fsync(raw.fileno())
        with _synced(path.parent):
            os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            # The temporary name means nothing to the reader of the message.
            where = path if error.filename in (None, str(temporary)) else error.filename
            mendable = from_os_error(OSError(error.errno, error.strerror, str(where)))
            if mendable is not None:
                raise mendable from error
        raise


def sync_directory(directory: Path) -> None:
    """Make what was renamed in `directory` last through a power cut."""
    with _synced(directory):
        pass


@contextmanager
def _synced(directory: Path) -> Iterator[None]:
    # Opened before the rename: who waits for the file may give the directory another name as soon as it is there.
    handle = os.open(directory, os.O_RDONLY)
    try:
        yield
        os.fsync(handle)
    finally:
        os.close(handle)


def canonical_json(value: Any) -> bytes:
    """The one way JSON is written where bytes matter: sorted keys, UTF-8, a newline at the end."""
    return (json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n").encode()


def write_json(path: Path, value: Any) -> dict[str, Any]:
    """Write `value` atomically as canonical JSON; gives size and digest."""
    with atomic_file(path) as out:
        out.write(canonical_json(value))
    return out.record


def read_json(path: Path) -> Any:
    """Read a JSON file, ours or one of a folder that somebody else made.

    Raises:
        UserError: if it is damaged.
    """
    try:
        return json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise UserError(f"{path}: damaged, not JSON; copy it again, or remove its directory and run again") from None


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_leftovers(directory: Path) -> None:
    """Remove temporary files that a killed attempt left."""
    for leftover in directory.rglob(f".*{TEMPORARY}"):
        leftover.unlink(missing_ok=True)
