"""A Ray node's folder for temporary files, which nobody keeps: what a process that was killed leaves, the next removes.

It has the logs of Ray and whatever its tasks do not hold in memory, and so is its owner's alone.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.lock import held

TEMPORARY = Path("/tmp")
"""A Unix socket's path has at most 107 characters, and Ray puts some 70 below it."""
_PREFIX, _NEW = "tsugiki-ray-", ".tsugiki-ray-"
_LOCK = "lock"


@contextmanager
def ray_folder(root: Path = TEMPORARY) -> Iterator[Path]:
    """A new folder, which its process holds; it and those that nobody holds any more are removed.

    Raises:
        UserError: if nothing can be written below `root`.
    """
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=root))
    folder = new.with_name(_PREFIX + new.name.removeprefix(_NEW))
    try:
        with held(new / _LOCK):
            new.rename(folder)  # under this name it is held from its first moment
            _remove_left(root)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left(root: Path) -> None:
    """Remove this user's folders whose processes have ended; those of running jobs stay."""
    for folder in root.glob(f"{_PREFIX}*"):
        if folder.lstat().st_uid == os.getuid() and folder.is_dir():
            with held(folder / _LOCK) as ours:
                if ours:
                    shutil.rmtree(folder, ignore_errors=True)
