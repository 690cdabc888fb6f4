"""Files that a run reads and did not write: identified by path, size and time, hashed when read."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import UserError


@dataclass(frozen=True, order=True)
class RawFile:
    """A file as it was found; `name` is its path below the source's own folder, the same on every machine."""

    name: str
    path: Path
    bytes: int
    mtime_ns: int

    def identity(self) -> dict[str, Any]:
        """What a plan remembers of it."""
        return {"bytes": self.bytes, "mtime_ns": self.mtime_ns}


def find_files(pattern: str, *, what: str) -> tuple[RawFile, ...]:
    """All files of a path, a folder (to the bottom) or a glob, by name; hidden files are left out.

    Args:
        what: the key of the run file that gave the pattern, for messages.
    Raises:
        UserError: if nothing is there, or a folder cannot be read.
    """
    root = Path(pattern)
    if root.is_dir():
        return _described((path for path in _walk(root, what)), root)
    if root.exists():
        return _described([root], root.parent)
    if glob.has_magic(pattern):
        found = [Path(match) for match in glob.glob(pattern, recursive=True)]
        files = [path for path in found if path.is_file()]
        if files:
            return _described(files, _fixed_part(pattern))
        raise UserError(f"{what}: no file matches {pattern!r}; a folder name reads all files below it")
    raise UserError(f"{what}: no such file or folder: {pattern!r} (relative paths start at {Path.cwd()})")


def _walk(root: Path, what: str) -> Iterable[Path]:
    def refuse(error: OSError) -> None:
        raise UserError(f"{what}: cannot read the folder {error.filename!r}: {error.strerror}")

    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        refuse(error)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(entry, what)
        elif entry.is_file():
            yield entry


def _fixed_part(pattern: str) -> Path:
    parts: list[str] = []
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts) if parts else Path()


def _described(paths: Iterable[Path], root: Path) -> tuple[RawFile, ...]:
    found = []
    for path in paths:
        status = path.stat()
        # Names on an old file server may be CP932; the name of a document must be text all the same.
        name = os.fsencode(path.relative_to(root).as_posix()).decode(errors="backslashreplace")
        found.append(RawFile(name, path, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))


def total_bytes(files: Sequence[RawFile]) -> int:
    """Bytes of all files together."""
    return sum(file.bytes for file in files)
