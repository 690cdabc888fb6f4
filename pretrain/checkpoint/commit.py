"""From the parts of all ranks to one checkpoint that is there or not there.

checkpoints/
  step-00000040/            part-00000.safetensors + .json per rank, manifest.json last
  step-00000080.partial-7f3a/   a save in progress, or one that was killed
  latest                    the name of the newest complete one
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.artifact import MANIFEST, Artifact
from configs.atomic_file import atomic_file, read_json, sha256_of, sync_directory, write_json
from configs.errors import UserError
from pretrain.checkpoint.part_file import index_name, part_name

_log = logging.getLogger(__name__)

KIND, VERSION = "checkpoint", 1
_PARTIAL = ".partial-"


def step_dir(root: Path, step: int) -> Path:
    """Directory of the checkpoint after `step` optimizer steps."""
    return root / f"step-{step:08d}"


def partial_dir(root: Path, step: int, attempt: str) -> Path:
    """Where the ranks write before the commit; `attempt` is the same word on all ranks and new at every start."""
    return root / f"step-{step:08d}{_PARTIAL}{attempt}"


def commit(root: Path, step: int, attempt: str, ranks: int, state: Mapping[str, Any], *, timeout_s: float) -> Artifact:
    """Wait for every rank's part, check that the boxes tile every tensor, and give the directory its name.

    Args:
        state: what else a resumed run needs: cursor, tokens, digests; JSON data.
    Raises:
        UserError: if a rank's part does not appear in time.
        ValueError: if the boxes leave a gap or overlap, which is an engine's fault.
    """
    partial = partial_dir(root, step, attempt)
    _await_parts(partial, ranks, timeout_s)
    files: dict[str, Any] = {}
    indices = [read_json(partial / index_name(rank)) for rank in range(ranks)]
    for rank, index in enumerate(indices):
        files[part_name(rank)] = index["file"]
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
        shutil.rmtree(final)
    os.replace(partial, final)
    sync_directory(root)
    with atomic_file(root / "latest") as pointer:
        pointer.write(f"{final.name}\n".encode())
    return Artifact(final, manifest)


def _await_parts(partial: Path, ranks: int, timeout_s: float) -> None:
    ends = time.monotonic() + timeout_s
    missing = list(range(ranks))
    while missing := [rank for rank in missing if not (partial / index_name(rank)).exists()]:
        if time.monotonic() > ends:
            raise UserError(f"{partial}: the parts of ranks {missing} did not appear within {timeout_s:.0f} s")
        time.sleep(0.02)


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


def latest(root: Path) -> Artifact | None:
    """The newest checkpoint that is complete and whole; a damaged one is passed over for the one before."""
    complete = sorted((path.parent for path in root.glob(f"step-*/{MANIFEST}")), reverse=True)
    for directory in complete:
        if _PARTIAL in directory.name:
            continue
        try:
            return Artifact.open(directory, kind=KIND, check="sha256")
        except UserError as damage:
            _log.warning("%s; going back to the checkpoint before", damage)
    return None


def prune(root: Path, keep_last: int) -> None:
    """Remove all but the newest complete checkpoints."""
    complete = sorted(path for path in root.glob("step-*") if _PARTIAL not in path.name)
    for directory in complete[:-keep_last]:
        # First unmake it, so that a kill in the middle leaves nothing that looks whole.
        (directory / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(directory)


def remove_partial(root: Path) -> None:
    """Remove saves that a killed attempt left."""
    for directory in root.glob(f"step-*{_PARTIAL}*"):
        shutil.rmtree(directory)
