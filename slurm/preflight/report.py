"""What a look at the nodes of a job finds, in figures; what follows from them is in judge.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from configs.atomic_file import read_json, write_json

FOLDER = "preflight"
"""Name in the folder of scripts and logs."""

SPEEDS = {
    "matrix product": "TFLOP/s",
    "copy in memory": "GB/s",
    "copy to the GPU": "GB/s",
    "writing": "MB/s",
    "all-reduce": "GB/s",
}
"""What is measured, with its unit; of several GPUs of a node the slowest counts."""


@dataclass
class Gpu:
    """One GPU of a node."""

    name: str
    memory_gib: float
    free_gib: float


@dataclass
class NodeReport:
    """What is found on one node."""

    gpus: list[Gpu] = field(default_factory=list)
    memory_gib: float = 0.0
    """Of the machine."""
    free_disk_gib: float = 0.0
    """In the run directory."""
    versions: dict[str, str] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)
    """By their names in SPEEDS."""
    clock_s: float = 0.0
    """Seconds by which its clock is before that of the first node."""
    unseen: list[str] = field(default_factory=list)
    """Nodes whose files in the run directory it does not see."""
    failed: list[str] = field(default_factory=list)
    """What did not work at all."""


@dataclass
class Pair:
    """An all-reduce of two nodes."""

    nodes: tuple[str, str]
    gb_per_s: float | None
    """Of the tensor; None where it failed."""
    error: str | None = None


@dataclass
class Report:
    """Of all nodes of a job."""

    nodes: dict[str, NodeReport]
    """Those that answered, the first node first."""
    pairs: list[Pair] = field(default_factory=list)
    complete: bool = False
    """Whether the look came to its end."""

    def to_json(self) -> dict[str, Any]:
        """For machines, and the file."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Report:
        """Back from `to_json`."""
        nodes = {
            name: NodeReport(**{**one, "gpus": [Gpu(**gpu) for gpu in one["gpus"]]})
            for name, one in value["nodes"].items()
        }
        pairs = [Pair(tuple(one["nodes"]), one["gb_per_s"], one["error"]) for one in value["pairs"]]
        return cls(nodes, pairs, value["complete"])


def report_path(folder: Path) -> Path:
    """Where the look of this start of this job is written down, in the folder of scripts and logs."""
    given = os.environ
    return folder / FOLDER / f"{given.get('SLURM_JOB_ID', 'here')}-{given.get('SLURM_RESTART_COUNT', '0')}.json"


def write(path: Path, report: Report) -> None:
    """Write it down; the order of nodes is kept, for the first is the one that the others are compared with."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(path, {**report.to_json(), "order": list(report.nodes)})


def read(path: Path) -> Report | None:
    """What was written, if anything was."""
    if not path.exists():
        return None
    value = read_json(path)
    return Report.from_json({**value, "nodes": {name: value["nodes"][name] for name in value["order"]}})
