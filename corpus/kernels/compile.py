"""How kernels are compiled: once per machine, without the interpreter lock."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

_WITH_KERNELS = ("corpus", "tokenizer")

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def _local_cache() -> str:
    """A cache directory of this machine and user: compiled code does not fit other processors of a cluster."""
    directory = Path(tempfile.gettempdir()) / f"tsugiki-numba-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()
    # The cache is loaded as code: a directory that another user made, or can write to, is not ours.
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        return tempfile.mkdtemp(prefix="tsugiki-numba-")
    return str(directory / _sources())


def _sources(above: Path = Path(__file__).parents[2]) -> str:
    """Digest of the packages whose kernels call each other: numba looks only at the file that a function stands in."""
    digest = hashlib.sha256()
    for path in sorted(path for package in _WITH_KERNELS for path in (above / package).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


os.environ.setdefault("NUMBA_CACHE_DIR", _local_cache())


def kernel(function: FunctionT) -> FunctionT:
    """Compile a function over numpy arrays to machine code that runs without the interpreter lock."""
    from numba import njit

    return cast(FunctionT, njit(nogil=True, cache=True)(function))
