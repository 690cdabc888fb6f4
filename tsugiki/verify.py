"""Rehash what was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from configs.artifact import MANIFEST, Artifact
from configs.errors import UserError
from configs.progress import Progress


def verify(directory: Path) -> Iterator[str]:
    """Check every finished directory at or below `directory`, a line each.

    Raises:
        UserError: if there is none, or a file differs from its manifest; names the file.
    """
    if not directory.exists():
        raise UserError(f"{directory}: does not exist")
    found = sorted(path.parent for path in directory.rglob(MANIFEST))
    if not found:
        raise UserError(f"{directory}: holds nothing finished; a finished directory has a {MANIFEST}")
    artifacts = [Artifact.open(path) for path in found]
    total = sum(int(record["bytes"]) for artifact in artifacts for record in artifact.files.values())
    with Progress("verify", total, "MB") as progress:
        for artifact in artifacts:
            Artifact.open(artifact.dir, check="sha256")
            size = sum(int(record["bytes"]) for record in artifact.files.values())
            progress.advance(size)
            yield f"{artifact.dir}: {len(artifact.files)} files, {size / 1e6:,.1f} MB, as written"
