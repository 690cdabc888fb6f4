"""What a conversion is asked for, and how the files of its result come to be.

A target is written below a working directory, each file whole under its final name or not there at all. What is
there when the same command is given again is therefore kept, and only what is missing is written.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from configs.atomic_file import HashingFile, atomic_file, sha256_of
from configs.progress import Progress
from pretrain.checkpoint.part_file import CalledOffError, threads
from pretrain.convert.model import Model
from pretrain.convert.source import StateSource


@dataclass(frozen=True)
class Options:
    """What is asked for beside the format."""

    dtype: str | None = None
    """Number format of the weights; none keeps what the source has."""
    max_shard_size: int | str = "50GB"
    """Of an HF folder's weight files, as transformers takes it."""
    tp: int = 1
    """Tensor parallelism of a Megatron checkpoint."""
    pp: int = 1
    """Pipeline parallelism of a Megatron checkpoint."""
    zero: int = 1
    """ZeRO stage of a DeepSpeed checkpoint."""
    ranks: int = 1
    """Data-parallel ranks of a DeepSpeed checkpoint."""
    groups: int = 1
    """Groups of the optimizer in a DeepSpeed checkpoint."""


Records = dict[str, dict[str, Any]]
"""Size and SHA-256 of files, by name below the target."""


@dataclass(frozen=True)
class Written:
    """A target that is whole."""

    files: Records
    counts: Mapping[str, Any]
    """What its manifest counts; JSON data, the same however the work was cut."""


class Writer(Protocol):
    """Writes one format."""

    def __call__(self, source: StateSource, out: Path, model: Model, options: Options, progress: Progress) -> Written:
        """Write all files below `out`; those that are there are whole and stay. `progress` counts bytes read."""
        ...


def write_files(out: Path, jobs: Mapping[str, Callable[[io.RawIOBase], object]]) -> Records:
    """Write files that are not there yet, several at a time; one that fails calls the others off.

    Args:
        jobs: by name below `out`, what writes its bytes into the file that it is given; needs `write` only.
    Returns:
        Size and SHA-256 of all of them; those that an earlier attempt wrote are hashed.
    Raises:
        UserError: if the disk is full or not writable.
    """
    failed = threading.Event()

    def write(name: str) -> dict[str, Any]:
        path = out / name
        if failed.is_set():
            raise CalledOffError
        if path.exists():
            return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
        try:
            with atomic_file(path) as file:
                jobs[name](_Stoppable(file, failed))
        except BaseException:
            failed.set()
            raise
        return file.record

    with ThreadPoolExecutor(threads(), "convert") as pool:
        running = {name: pool.submit(write, name) for name in jobs}
    errors = [error for future in running.values() if (error := future.exception()) is not None]
    if errors:
        # Those that stopped because another failed are not the reason.
        raise next((error for error in errors if not isinstance(error, CalledOffError)), errors[0])
    return {name: future.result() for name, future in running.items()}


class _Stoppable(io.RawIOBase):
    """A file whose next write fails once another file did."""

    def __init__(self, file: HashingFile, failed: threading.Event) -> None:
        self._file, self._failed = file, failed

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self._failed.is_set():
            raise CalledOffError
        return self._file.write(data)

    def tell(self) -> int:
        return self._file.tell()
