"""Where the result of a conversion comes to be: beside its final name, which it gets when it is whole."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST, PLAN, Artifact
from configs.atomic_file import read_json, remove_leftovers, sync_directory, write_json
from configs.errors import UserError, from_os_error
from configs.lock import LOCK, exclusive
from pretrain.checkpoint.disk_space import shown
from pretrain.convert.inputs import Identity
from pretrain.convert.target import Written

_log = logging.getLogger(__name__)

_PARTIAL = ".partial-"
_SEEN = "seen"
"""Key of the plan: how the files of the input looked when work began."""


@dataclass(frozen=True)
class Place:
    """The final name of a result, and the directory beside it in which it is made."""

    out: Path
    identity: Identity

    @property
    def _partial(self) -> Path:
        return self.out.with_name(f"{self.out.name}{_PARTIAL}{self.identity.digest[:8]}")

    def complete(self) -> Artifact | None:
        """The result, if it is there already.

        Raises:
            UserError: if something else has its name.
        """
        if not self.out.exists() or (self.out.is_dir() and not any(self.out.iterdir())):
            return None
        manifest = self.out / MANIFEST
        if manifest.exists():
            found, mine = read_json(manifest), self.identity.manifest
            found = {**found, "asked": found.get("config", {}).get("asked")}
            same = all(found.get(key) == value for key, value in mine.items())
            seen = read_json(self.out / PLAN)[_SEEN] if same and (self.out / PLAN).exists() else None
            if seen is not None and self.identity.still(seen):
                return Artifact.open(self.out)
        raise UserError(
            f"{self.out}: is there already, and not from this input as it is now with these options; remove it, or "
            "name another --out"
        )

    @contextmanager
    def working(self) -> Iterator[Path]:
        """The directory to write into, with what an earlier attempt finished; nobody else works there.

        Raises:
            UserError: if another process does.
        """
        for other in self.out.parent.glob(f"{self.out.name}{_PARTIAL}*"):
            if other != self._partial:
                with exclusive(other, way_out="name another --out"):
                    _log.info("%s: removed, was begun from another input or with other options", other)
                    shutil.rmtree(other)
        with exclusive(self._partial, way_out="name another --out"):
            remove_leftovers(self._partial)
            try:
                yield self._partial
            except BaseException:
                self._remove_if_empty()
                raise

    def _remove_if_empty(self) -> None:
        """A folder in which nothing is whole is of no use to the next attempt."""
        if not any(path.is_file() and path.name != LOCK for path in self._partial.rglob("*")):
            shutil.rmtree(self._partial, ignore_errors=True)

    def forget(self) -> None:
        """Remove what was written of an input that is damaged: mended, it may have the same sizes and times."""
        for path in self._partial.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()

    def refuse_full_disk(self, needed: int) -> None:
        """See that there is room.

        Args:
            needed: bytes of the whole result.
        Raises:
            UserError: if there is not.
        """
        there = sum(path.stat().st_size for path in self._partial.rglob("*") if path.is_file())
        found = os.statvfs(self._partial)
        free = found.f_bavail * found.f_frsize
        if needed - there > free:
            raise UserError(
                f"{self.out}: takes {shown(needed - there)}, the file system has {shown(free)} left; free some, or "
                "name another --out"
            )

    def publish(self, written: Written, config: Mapping[str, Any]) -> Artifact:
        """Write the manifest, beside it how the input looked, and give the directory its name."""
        manifest = {
            "kind": self.identity.manifest["kind"],
            "version": self.identity.manifest["version"],
            "config": dict(config),
            "inputs": self.identity.manifest["inputs"],
            "files": written.files,
            "counts": dict(written.counts),
        }
        write_json(self._partial / PLAN, {_SEEN: self.identity.seen()})
        write_json(self._partial / MANIFEST, manifest)
        (self._partial / LOCK).unlink()
        try:
            os.replace(self._partial, self.out)
        except OSError as error:
            raise from_os_error(error) or error from error
        sync_directory(self.out.parent)
        return Artifact.open(self.out)
