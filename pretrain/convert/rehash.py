"""Every byte of an input that a manifest tells of, looked at beside the conversion; nothing is published before."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from configs.errors import UserError, from_os_error
from pretrain.checkpoint.part_file import threads
from pretrain.convert.recorded import NUMBERS, recorded_files

_PIECE_BYTES = 1 << 20
_AHEAD_BYTES = 1 << 22
"""So far ahead the kernel reads while a piece is hashed."""
_SMALL_BYTES = 1 << 22
"""Files of at most so many bytes, and those that say where the numbers are, are looked at before anybody reads them."""


class DamagedError(UserError):
    """Bytes of the input are not those that were written."""


class Rehash:
    """Compares files with their manifests, by threads of its own; close it.

    Args:
        folders: checkpoints of this program, or folders of foreign formats; those without a manifest pass.
    Raises:
        UserError: if a file is missing or of another size, or a small one has other bytes.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        files = [one for folder in folders for one in recorded_files(folder)]
        self._stop = threading.Event()
        first = [one for one in files if one[1]["bytes"] <= _SMALL_BYTES or not one[0].name.endswith(NUMBERS)]
        for path, record, way_out in first:
            self._compare(path, record["sha256"], way_out)
        self._left = deque(one for one in files if one not in first)
        self._pool = ThreadPoolExecutor(threads(), "rehash")
        # Who writes has work for the other half of the processors; all look at what is left when it is written.
        self._running: list[Future[None]] = []
        self._look(max(1, threads() // 2))

    def _look(self, threads: int) -> None:
        self._running += [self._pool.submit(self._compare_all) for _ in range(min(threads, len(self._left)))]

    def _compare_all(self) -> None:
        while not self._stop.is_set():
            try:
                path, record, way_out = self._left.popleft()
            except IndexError:  # another thread took the last
                return
            self._compare(path, record["sha256"], way_out)

    def _compare(self, path: Path, sha256: str, way_out: str) -> None:
        try:
            digest = self._digest(path)
        except OSError as error:
            raise from_os_error(error) or error from error
        if digest != sha256 and not self._stop.is_set():
            raise DamagedError(
                f"{path}: its bytes changed since it was written (SHA-256 differs from the manifest); {way_out}"
            )

    def _digest(self, path: Path) -> str:
        # Not read through a buffer of Python's, and in pieces that stay in the processor's cache.
        digest, piece = hashlib.sha256(), memoryview(bytearray(_PIECE_BYTES))
        with open(path, "rb", buffering=0) as file:
            at = 0
            while not self._stop.is_set() and (count := os.readv(file.fileno(), [piece])):
                at += count
                os.posix_fadvise(file.fileno(), at + _AHEAD_BYTES, count, os.POSIX_FADV_WILLNEED)
                digest.update(piece[:count])
        return digest.hexdigest()

    def refuse_damage(self) -> None:
        """Wait until every byte was looked at.

        Raises:
            DamagedError: names the first file whose bytes changed.
        """
        self._look(threads())
        for future in self._running:
            future.result()

    @contextmanager
    def beside(self, forget: Callable[[], None]) -> Iterator[None]:
        """What is written inside is of an input without damage.

        Args:
            forget: is called where there is damage, and removes what was written.
        Raises:
            DamagedError: as `refuse_damage`.
        """
        try:
            try:
                yield
            except Exception:
                # Damage may be the reason, and is what must be known.
                self.refuse_damage()
                raise
            self.refuse_damage()
        except DamagedError:
            forget()
            raise

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._pool.shutdown(cancel_futures=True)
