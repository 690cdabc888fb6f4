"""Where the result of a conversion comes to be: beside its final name, which it gets when it is whole."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST, Artifact
from configs.atomic_file import canonical_json, read_json, remove_leftovers, sync_directory, write_json
from configs.errors import UserError, from_os_error
from configs.lock import LOCK, exclusive
from pretrain.checkpoint.directory import KIND, VERSION
from pretrain.checkpoint.disk_space import shown
from pretrain.convert.model import Model
from pretrain.convert.source import Format
from pretrain.convert.target import Written

_log = logging.getLogger(__name__)

_FORMAT_VERSION = 1
"""Of folders in foreign formats; raised whenever the same input would give other bytes."""
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class Identity:
    """What decides the bytes of a result."""

    manifest: Mapping[str, Any]
    """What the result's manifest says: kind, version, what was asked, and digests of names and sizes of the input."""
    newest_ns: int
    """When the input was last changed."""
    digest: str
    """Of all that, and of when each file of the input was changed."""


def identity(to: Format, asked: Mapping[str, Any], folder: Path, model: Model) -> Identity:
    """What decides the bytes of a conversion of `folder`."""
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith(".")]
    status = {path.name: path.stat() for path in [*files, *model.carried.values(), model.folder / "config.json"]}
    sizes = sorted((path.name, status[path.name].st_size) for path in files)
    beside = sorted((name, path.stat().st_size) for name, path in model.carried.items())
    described = {"config": model.config_json().decode(), "beside": beside}
    manifest = {
        "kind": KIND if to == "checkpoint" else f"{to} folder",
        "version": VERSION if to == "checkpoint" else _FORMAT_VERSION,
        "asked": dict(asked),
        "inputs": {"source": {"names_and_sizes": _sha256(sizes)}, "model": {"files": _sha256(described)}},
    }
    times = sorted((name, one.st_mtime_ns) for name, one in status.items())
    newest = max(one.st_mtime_ns for one in status.values())
    return Identity(manifest, newest, _sha256([manifest, times]))


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


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
            if same and manifest.stat().st_mtime_ns >= self.identity.newest_ns:
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
            yield self._partial

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
        """Write the manifest and give the directory its name."""
        manifest = {
            "kind": self.identity.manifest["kind"],
            "version": self.identity.manifest["version"],
            "config": dict(config),
            "inputs": self.identity.manifest["inputs"],
            "files": written.files,
            "counts": dict(written.counts),
        }
        write_json(self._partial / MANIFEST, manifest)
        (self._partial / LOCK).unlink()
        try:
            os.replace(self._partial, self.out)
        except OSError as error:
            raise from_os_error(error) or error from error
        sync_directory(self.out.parent)
        return Artifact.open(self.out)
