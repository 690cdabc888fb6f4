"""Complete directories, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.artifact import Artifact, build
from configs.errors import UserError
from configs.journal import JOURNAL


def one_file(directory: Path, content: bytes = b"x", **different: Any) -> Artifact:
    """A complete directory with one file."""
    builder = build(directory, **{"kind": "k", "version": 1, "config": {"a": 1}, "inputs": {}, **different})
    assert builder.complete is None
    with builder.file("part.txt") as out:
        out.write(content)
    return builder.finish({"parts": 1})


def refusal(call: Callable[[], object]) -> str:
    """What a call that must fail says."""
    with pytest.raises(UserError) as caught:
        call()
    return str(caught.value)


def bytes_of(directory: Path) -> dict[str, bytes]:
    """Every file that a digest covers, and the manifest."""
    files = (path for path in directory.rglob("*") if path.is_file() and path.name not in (JOURNAL, ".lock"))
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in files}
