"""What decides the bytes of a result: what was asked for, and what the input holds.

Files that a manifest of this program tells of are known by their SHA-256, small ones beside the numbers are hashed.
Of other files with numbers it is noted how they look: size, times and place on the disk. Nobody can set the time at
which a file was last changed in any way, so a file that another one took the place of, or whose old time was set again,
looks other than before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST, PLAN
from configs.atomic_file import canonical_json, sha256_of
from configs.journal import JOURNAL
from pretrain.checkpoint.directory import KIND, VERSION
from pretrain.convert.model import Model
from pretrain.convert.recorded import recorded_files
from pretrain.convert.source import Format

_FORMAT_VERSION = 1
"""Of folders in foreign formats; raised whenever the same input would give other bytes."""
_NO_INPUT = (MANIFEST, PLAN, JOURNAL)


@dataclass(frozen=True)
class Look:
    """A file of an input as it was found."""

    path: Path
    seen: tuple[int, int, int, int]
    """Bytes, time of the last writing and of the last change of any kind in nanoseconds, number on the disk."""
    sha256: str | None
    """What a manifest says of it; none where there is no manifest that does."""


@dataclass(frozen=True)
class Identity:
    """What decides the bytes of a result."""

    manifest: Mapping[str, Any]
    """What the result's manifest says: kind, version, what was asked, and digests of what is known of the input."""
    looks: Mapping[str, Look]
    """Files with the numbers of the input, by name."""

    @property
    def digest(self) -> str:
        """Of all that."""
        return _sha256([self.manifest, self.seen()])

    def seen(self) -> dict[str, list[int]]:
        """How the files look; JSON data."""
        return {name: list(look.seen) for name, look in sorted(self.looks.items())}

    def still(self, before: Mapping[str, Any]) -> bool:
        """Whether files that looked as `before` hold what they held then.

        A file that looks other is read if a manifest says what it must hold, and else taken for changed.
        """
        if before.keys() != self.looks.keys():
            return False
        doubtful = [look for name, look in self.looks.items() if list(look.seen) != list(before[name])]
        return all(look.sha256 is not None and sha256_of(look.path) == look.sha256 for look in doubtful)


def identity(to: Format, asked: Mapping[str, Any], folder: Path, model: Model) -> Identity:
    """What decides the bytes of a conversion of `folder`.

    Raises:
        UserError: if the folder is a checkpoint of this program that is not whole.
    """
    digests = {path: str(record["sha256"]) for path, record, _ in recorded_files(folder)}
    looks = {
        path.name: _look(path, digests.get(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and not path.name.startswith(".") and path.name not in _NO_INPUT
    }
    holds = [(name, look.seen[0], look.sha256) for name, look in looks.items()]
    beside = {name: sha256_of(path) for name, path in model.carried.items()}
    described = {"config": model.config_json().decode(), "beside": beside}
    manifest = {
        "kind": KIND if to == "checkpoint" else f"{to} folder",
        "version": VERSION if to == "checkpoint" else _FORMAT_VERSION,
        "asked": dict(asked),
        "inputs": {"source": {"files": _sha256(holds)}, "model": {"files": _sha256(described)}},
    }
    return Identity(manifest, looks)


def of_several(each: Mapping[str, Identity], inputs: Mapping[str, Any]) -> Identity:
    """What decides the bytes of what is made of several inputs.

    Args:
        each: by what they are called; kind, version and what was asked are those of the first.
        inputs: what the result's manifest says of them.
    """
    first = next(iter(each.values()))
    looks = {f"{called}/{name}": look for called, one in each.items() for name, look in one.looks.items()}
    return Identity({**first.manifest, "inputs": dict(inputs)}, looks)


def _look(path: Path, sha256: str | None) -> Look:
    status = path.stat()
    return Look(path, (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino), sha256)


def _sha256(value: Any) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()
