"""From the parts of all ranks to one checkpoint that is there or not there."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST, Artifact
from configs.atomic_file import read_json, sha256_of, sync_directory, write_json
from configs.errors import UserError
from pretrain.checkpoint.directory import KIND, VERSION, partial_dir, point_to, set_aside, step_dir
from pretrain.checkpoint.part_file import CalledOffError, index_name


def commit(
    root: Path,
    step: int,
    attempt: str,
    ranks: int,
    state: Mapping[str, Any],
    *,
    timeout_s: float,
    stop: threading.Event | None = None,
) -> Artifact:
    """Wait for every rank's part, check that the boxes tile every tensor, and give the directory its name.

    Args:
        state: what else a resumed run needs: cursor, tokens, digests; JSON data.
        stop: calls the save off while it waits.
    Raises:
        UserError: if a rank's part does not appear in time.
        CalledOffError: if it was called off.
        ValueError: if the boxes leave a gap or overlap, which is an engine's fault.
    """
    partial = partial_dir(root, step, attempt)
    _await_parts(partial, ranks, timeout_s, stop or threading.Event())
    files: dict[str, Any] = {}
    indices = [read_json(partial / index_name(rank)) for rank in range(ranks)]
    for rank, index in enumerate(indices):
        files.update(index["files"])
        path = partial / index_name(rank)
        files[path.name] = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    tensors = _check_tiling([entry for index in indices for entry in index["boxes"]])
    manifest = {
        "kind": KIND,
        "version": VERSION,
        "config": dict(state),
        "inputs": {},
        "files": files,
        "counts": {"step": step, "ranks": ranks, "tensors": tensors},
    }
    write_json(partial / MANIFEST, manifest)
    final = step_dir(root, step)
    if final.exists():  # an earlier run of the same step; the new one is as good and has the newer layout
        set_aside(final)
    os.replace(partial, final)
    sync_directory(root)
    point_to(root, final)
    return Artifact(final, manifest)


def _await_parts(partial: Path, ranks: int, timeout_s: float, stop: threading.Event) -> None:
    ends = time.monotonic() + timeout_s
    missing = list(range(ranks))
    while missing := [rank for rank in missing if not (partial / index_name(rank)).exists()]:
        if time.monotonic() > ends:
            raise UserError(
                f"{partial}: the parts of ranks {missing} did not appear within {timeout_s:.0f} s; "
                "all processes must see the same directory"
            )
        if stop.wait(0.02):
            raise CalledOffError


def _check_tiling(boxes: list[dict[str, Any]]) -> int:
    held: dict[tuple[str, str], int] = defaultdict(int)
    shapes: dict[str, list[int]] = {}
    seen: set[str] = set()
    for entry in boxes:
        if entry["key"] in seen or shapes.setdefault(entry["name"], entry["shape"]) != entry["shape"]:
            raise ValueError(f"{entry['key']}: held twice, or with two shapes")
        seen.add(entry["key"])
        held[entry["name"], entry["kind"]] += math.prod(entry["sizes"])
    for (name, kind), count in held.items():
        if count != math.prod(shapes[name]):
            raise ValueError(f"{name} {kind}: boxes hold {count} of {math.prod(shapes[name])} numbers")
    return len(shapes)
