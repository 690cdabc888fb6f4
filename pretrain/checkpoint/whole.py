"""The newest checkpoint that is complete and whole, every byte of it looked at, by all ranks together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from configs.artifact import Artifact
from configs.atomic_file import sha256_of
from configs.errors import UserError, from_os_error
from pretrain import ranks
from pretrain.checkpoint.directory import KIND, VERSION, complete
from pretrain.checkpoint.part_file import threads

_log = logging.getLogger(__name__)


def latest(root: Path) -> Artifact | None:
    """The newest whole checkpoint, on every rank; a damaged one is passed over for the one before.

    Collective: each rank rehashes its share of the files.

    Raises:
        UserError: if another version of the program wrote it.
    """
    for directory in ranks.from_first(complete(root)[::-1]):
        opened = ranks.done_by_first(lambda directory=directory: _open(directory))  # type: ignore[misc]
        if isinstance(opened, Artifact):
            damage = next((one for one in ranks.of_all(_damage_of_share(opened)) if one is not None), None)
            if damage is None:
                return opened
            opened = damage
        if ranks.rank() == 0:
            _log.warning("%s; going back to the checkpoint before", opened)
    return None


def _open(directory: Path) -> Artifact | str:
    """The checkpoint with its names and sizes compared, or what is wrong with it."""
    try:
        found = Artifact.open(directory, kind=KIND)
    except UserError as damage:
        return str(damage).removesuffix("; remove the directory and run again")
    if found.manifest["version"] != VERSION:
        raise UserError(
            f"{directory}: a checkpoint of format {found.manifest['version']}, this program writes and reads "
            f"format {VERSION}; finish the run with the program that began it, or name another run.dir"
        )
    return found


def _damage_of_share(checkpoint: Artifact) -> str | None:
    return first_damage(checkpoint, spread(checkpoint.files, ranks.size())[ranks.rank()])


def first_damage(checkpoint: Artifact, names: Sequence[str]) -> str | None:
    """Rehash files, several at a time; what is wrong with the first whose bytes changed."""
    with ThreadPoolExecutor(threads(), "rehash") as pool:
        for name, damage in zip(names, pool.map(lambda name: _damage(checkpoint, name), names), strict=True):
            if damage is not None:
                return f"{checkpoint.path(name)}: {damage}"
    return None


def _damage(checkpoint: Artifact, name: str) -> str | None:
    try:
        digest = sha256_of(checkpoint.path(name))
    except OSError as error:
        return str(from_os_error(error) or error)
    if digest != checkpoint.files[name]["sha256"]:
        return "its bytes changed since it was written (SHA-256 differs from the manifest)"
    return None


def spread(files: Mapping[str, Mapping[str, Any]], shares: int) -> list[Sequence[str]]:
    """Cut files into shares of about equally many bytes.

    >>> spread({"a": {"bytes": 3}, "b": {"bytes": 5}, "c": {"bytes": 2}}, 2)
    [['b'], ['a', 'c']]
    """
    cut: list[list[str]] = [[] for _ in range(shares)]
    sizes = [0] * shares
    for name in sorted(files, key=lambda name: (-int(files[name]["bytes"]), name)):
        least = sizes.index(min(sizes))
        cut[least].append(name)
        sizes[least] += int(files[name]["bytes"])
    return list(cut)
