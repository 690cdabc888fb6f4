"""What differs between the plan a directory was made by and the one asked for now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.raw_input import RawFile


def changed_config(before: Any, after: Any, key: str = "") -> list[str]:
    """Every value that differs, as `key: old -> new`.

    >>> changed_config({"dedup": {"threshold": 0.8}, "seed": 1}, {"dedup": {"threshold": 0.7}, "seed": 1})
    ['dedup.threshold: 0.8 -> 0.7']
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        changes = []
        for name in sorted({*before, *after}):
            below = f"{key}.{name}" if key else name
            changes += changed_config(before.get(name), after.get(name), below)
        return changes
    if before == after:
        return []
    return [f"{key}: {json.dumps(before, ensure_ascii=False)} -> {json.dumps(after, ensure_ascii=False)}"]


def changed_files(
    name: str, before: Mapping[str, Mapping[str, int]], now: Sequence[RawFile], directory: Path
) -> list[str]:
    """Files of the input `name` that were added, removed or changed.

    A file with another time but the same size is read again: a fresh checkout touches everything and changes nothing.
    """
    found = {file.name: file for file in now}
    changes = [f"{name} lost {path!r}" for path in sorted(set(before) - set(found))]
    changes += [f"{name} gained {path!r}" for path in sorted(set(found) - set(before))]
    touched = []
    for path in sorted(set(before) & set(found)):
        if before[path]["bytes"] != found[path].bytes:
            changes.append(f"{name} changed {path!r} ({before[path]['bytes']} -> {found[path].bytes} bytes)")
        elif before[path]["mtime_ns"] != found[path].mtime_ns:
            touched.append(path)
    if touched:
        pieces = _known_pieces(directory / inputs_file(name))
        changes += [f"{name} changed {path!r}" for path in touched if not _same_bytes(found[path], pieces.get(path))]
    return changes


def inputs_file(name: str) -> str:
    """Where an artifact lists the raw files it read: one JSON line per piece with name, start, end, sha256."""
    return f"inputs/{name}.jsonl"


def _known_pieces(listing: Path) -> dict[str, list[dict[str, Any]]]:
    pieces: dict[str, list[dict[str, Any]]] = {}
    if listing.exists():
        with open(listing, encoding="utf-8") as lines:
            for line in lines:
                piece = json.loads(line)
                pieces.setdefault(piece["name"], []).append(piece)
    return pieces


def _same_bytes(file: RawFile, pieces: list[dict[str, Any]] | None) -> bool:
    if not pieces:
        return False
    with open(file.path, "rb") as opened:
        for piece in pieces:
            opened.seek(piece["start"])
            digest = hashlib.sha256()
            left = piece["end"] - piece["start"]
            while left > 0 and (block := opened.read(min(left, 1 << 20))):
                digest.update(block)
                left -= len(block)
            if digest.hexdigest() != piece["sha256"]:
                return False
    return True
