"""Where checkpoints lie, which of them are complete, and which one is being read.

checkpoints/
  step-00000040/                 files and .json of each rank, manifest.json last
  step-00000080.partial-7f3a/    a save in progress, or one that was killed
  step-00000080.damaged/         one that was passed over when a run went on from an earlier one
  step-00000080.undone/          one from after the point that a rollback went back to, while a program still reads it
  latest                         the name of the newest complete one
"""

from __future__ import annotations

import fcntl
import os
import shutil
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Literal

from configs.artifact import MANIFEST
from configs.atomic_file import atomic_file

KIND, VERSION = "checkpoint", 2

_PARTIAL, _LATEST = ".partial-", "latest"

Aside = Literal["damaged", "undone"]


def step_dir(root: Path, step: int) -> Path:
    """Directory of the checkpoint after `step` optimizer steps."""
    return root / f"step-{step:08d}"


def partial_dir(root: Path, step: int, attempt: str) -> Path:
    """Where the ranks write before the commit; `attempt` is the same word on all ranks and new at every start."""
    return root / f"step-{step:08d}{_PARTIAL}{attempt}"


def step_of(directory: Path) -> int:
    """Optimizer steps of a checkpoint, by the name of its directory."""
    return int(directory.name.removeprefix("step-").split(".")[0])


def complete(root: Path) -> list[Path]:
    """The complete checkpoints, the newest last; whether they are whole, nobody has looked."""
    return sorted(path.parent for path in root.glob(f"step-*/{MANIFEST}") if "." not in path.parent.name)


def incomplete(root: Path) -> list[Path]:
    """What is left of checkpoints that were being removed, and those set aside."""
    return sorted(
        path for path in root.glob("step-*") if _PARTIAL not in path.name and not _is_complete(path) and path.is_dir()
    )


def _is_complete(path: Path) -> bool:
    return "." not in path.name and (path / MANIFEST).exists()


def point_to(root: Path, checkpoint: Path) -> None:
    """Write its name to `latest`, for people and other programs; a run itself looks at the directories."""
    words = f"{checkpoint.name}\n".encode()
    pointer = root / _LATEST
    if not pointer.exists() or pointer.read_bytes() != words:
        with atomic_file(pointer) as out:
            out.write(words)


def point_to_none(root: Path) -> None:
    """Take `latest` away, since there is no checkpoint."""
    (root / _LATEST).unlink(missing_ok=True)


def set_aside(checkpoint: Path, why: Aside = "damaged") -> None:
    """Make it no checkpoint any more, so that a run that goes on from an earlier one does not meet it again."""
    aside = checkpoint.with_name(f"{checkpoint.name}.{why}")
    if aside.exists():
        shutil.rmtree(aside)
    checkpoint.rename(aside)


def remove(checkpoint: Path) -> bool:
    """Remove a checkpoint unless a program reads it; gives whether it did."""
    manifest = checkpoint / MANIFEST
    if manifest.exists():
        if _is_read(manifest):
            return False
        # First unmake it, so that a kill in the middle leaves nothing that looks whole.
        manifest.unlink()
    shutil.rmtree(checkpoint)
    return True


def _is_read(manifest: Path) -> bool:
    # Opened for writing, because on NFS an exclusive lock needs it.
    handle = os.open(manifest, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks: nobody can have said so
        return False
    finally:
        os.close(handle)
    return False


def remove_partial(root: Path) -> None:
    """Remove saves that a killed attempt left."""
    for directory in root.glob(f"step-*{_PARTIAL}*"):
        shutil.rmtree(directory)


class Reading:
    """Keeps a checkpoint from being removed until it is closed or forgotten, or the process ends.

    Raises:
        FileNotFoundError: if it was removed meanwhile.
    """

    def __init__(self, checkpoint: Path) -> None:
        handle = os.open(checkpoint / MANIFEST, os.O_RDONLY)
        self.close = weakref.finalize(self, os.close, handle)
        with suppress(OSError):  # a file system without locks; at worst the reading fails with a message
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
