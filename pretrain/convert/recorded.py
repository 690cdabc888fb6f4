"""Which files of an input a manifest of this program tells of, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST, Artifact
from configs.atomic_file import read_json
from pretrain.checkpoint.directory import KIND

NUMBERS = (".safetensors", ".pt", ".distcp")
"""Files in which the numbers are; of foreign formats only these, for the others are edited by hand."""


def manifest_of(folder: Path) -> Mapping[str, Any]:
    """What this program says of a folder; empty where it says nothing, or another program has a file of that name."""
    found = read_json(folder / MANIFEST) if (folder / MANIFEST).exists() else {}
    return found if isinstance(found, dict) and {"kind", "files"} <= found.keys() else {}


def recorded_files(folder: Path) -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Files below a folder with size and SHA-256, and what to do about one that differs.

    Raises:
        UserError: if it is a checkpoint of which a file is missing or of another size.
    """
    if manifest_of(folder).get("kind") == KIND:
        for name, record in sorted(Artifact.open(folder, kind=KIND).files.items()):
            yield folder / name, dict(record), "take another checkpoint, or copy it again"
        return
    root = next((one for one in (folder, folder.parent) if manifest_of(one)), None)
    if root is None:
        return
    for name, record in sorted(manifest_of(root)["files"].items()):
        path = root / name
        # A tag of DeepSpeed's is a folder below; one file that is missing is told of by whoever reads the format.
        if folder in path.parents and name.endswith(NUMBERS) and path.is_file():
            yield path, record, f"copy it again, or remove {root / MANIFEST} if it was changed on purpose"
