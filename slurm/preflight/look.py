"""The look at the nodes of a job: one process on each, started by srun; the first writes down what all found."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from configs.schema.preflight import Preflight
from slurm.preflight import node as this_node
from slurm.preflight.judge import slow
from slurm.preflight.meeting import Meeting, Place
from slurm.preflight.report import Gpu, NodeReport, Pair, Report, write

_log = logging.getLogger(__name__)
_SHARED_S = 15
"""Network file systems may remember for seconds that a file is not there."""


def look(directory: Path, report: Path, settings: Preflight) -> None:
    """Find out what this node has and does, alone and with the others; the first node writes the report.

    Args:
        directory: of the run.
        report: file; the folder beside it, of the same name without ending, is used and removed.
    Raises:
        RuntimeError: if the first node cannot be reached, or no longer answers.
    """
    place = Place.from_environment()
    meeting = Meeting(place, settings.wait_s) if place.size > 1 else None
    mine = _alone(directory)
    if meeting is None:
        write(report, Report({place.node: mine}, complete=True))
        return
    nodes = [said["node"] for said in _in_order(meeting.all_say("here", {"node": place.node}), place.size)]
    found = _shared(meeting, place, nodes, mine, directory, report, settings)
    if place.number == 0:
        write(report, found)  # what comes now may hang
    mine.clock_s = meeting.clock_s()
    pairs = meeting.pairs(nodes)
    said = meeting.all_say("all", {"node": asdict(mine), "pairs": [asdict(pair) for pair in pairs]})
    if place.number == 0:
        write(report, _put_together(said, nodes))
        # The others read their last answer from this process.
        time.sleep(0.5)


def _in_order(said: dict[int, Any], size: int) -> list[Any]:
    return [said.get(number, {"node": ""}) for number in range(size)]


def _alone(directory: Path) -> NodeReport:
    try:
        mine = this_node.look(directory)
        mine.speeds = this_node.measure(directory)
        return mine
    except (OSError, RuntimeError) as error:  # RuntimeError: whatever CUDA does on a GPU that is broken
        return NodeReport(failed=[str(error).splitlines()[0][:200]])


def _shared(
    meeting: Meeting,
    place: Place,
    nodes: Sequence[str],
    mine: NodeReport,
    directory: Path,
    report: Path,
    settings: Preflight,
) -> Report:
    """The speeds of all nodes, measured again where one is slow, and who sees whose files."""
    folder = report.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / place.node).touch()
    said = meeting.all_say("alone", asdict(mine))
    mine.unseen = _unseen([nodes[number] for number in said], folder)
    if any(slow(Report({nodes[number]: _node(one) for number, one in said.items()}), settings)):
        # Once may be chance.
        again = this_node.measure(directory) if not mine.failed else {}
        mine.speeds = {name: max(speed, mine.speeds.get(name, 0.0)) for name, speed in again.items()}
    said = meeting.all_say("again", asdict(mine))
    if place.number == 0:
        _remove(folder)
    return Report({nodes[number]: _node(one) for number, one in said.items()})


def _unseen(nodes: Sequence[str], folder: Path) -> list[str]:
    deadline = time.monotonic() + _SHARED_S
    left = list(nodes)
    while left and time.monotonic() < deadline:
        left = [name for name in left if name not in os.listdir(folder)]
        time.sleep(0.1 if left else 0)
    return left


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink(missing_ok=True)
    folder.rmdir()


def _put_together(said: dict[int, Any], nodes: Sequence[str]) -> Report:
    found = {nodes[number]: _node(one["node"]) for number, one in said.items()}
    pairs = [Pair(**{**pair, "nodes": tuple(pair["nodes"])}) for one in said.values() for pair in one["pairs"]]
    for name, one in found.items():
        speeds = [pair.gb_per_s for pair in pairs if name in pair.nodes and pair.gb_per_s is not None]
        if speeds:
            one.speeds["all-reduce"] = max(speeds)
    return Report(found, pairs, complete=True)


def _node(value: dict[str, Any]) -> NodeReport:
    return NodeReport(**{**value, "gpus": [Gpu(**gpu) for gpu in value["gpus"]]})
