"""Which nodes are not as they must be, and why: decided from the figures alone."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from configs.schema.device import device_named
from configs.schema.preflight import Preflight
from configs.schema.slurm import Slurm
from slurm.preflight.report import SPEEDS, NodeReport, Report

Faults = dict[str, list[str]]
"""By node; only nodes that have one."""


def faults(report: Report | None, nodes: Sequence[str], asked: Slurm) -> Faults:
    """What is wrong with which node.

    Args:
        report: none if nothing was found out at all.
        nodes: that the job has, the first one first.
        asked: what the run file asks of them.
    """
    if report is None:
        return {node: ["did not answer"] for node in nodes}
    found: Faults = {}
    for node, why in [
        *_silent(report, nodes),
        *_of_each(report, asked),
        *_odd_versions(report),
        *_odd_clocks(report, asked.preflight),
        *_apart(report),
        *slow(report, asked.preflight),
    ]:
        found.setdefault(node, []).append(why)
    if not report.complete and not found:
        found = {node: ["the look at the nodes did not come to its end, see the log"] for node in nodes}
    return found


def slow(report: Report, settings: Preflight) -> Iterator[tuple[str, str]]:
    """Nodes that are slower than they may be, each with the reason."""
    for name, unit in SPEEDS.items():
        measured = {node: one.speeds[name] for node, one in report.nodes.items() if name in one.speeds}
        if len(measured) < 2:
            continue
        share = settings.min_write_speed if name == "writing" else settings.min_speed
        # Of two the faster: what one of them can do, the other can.
        middle = statistics.median_high(measured.values())
        for node, speed in measured.items():
            if speed < share * middle:
                yield node, f"{name}: {speed:.3g} {unit}, the node in the middle has {middle:.3g}"


def _silent(report: Report, nodes: Sequence[str]) -> Iterator[tuple[str, str]]:
    silent = [node for node in nodes if node not in report.nodes]
    if len(silent) > len(nodes) / 2:
        # Sooner one node is cut off than most of them.
        yield nodes[0], f"{len(silent)} of the other nodes do not reach it"
    else:
        yield from ((node, "did not answer") for node in silent)


def _of_each(report: Report, asked: Slurm) -> Iterator[tuple[str, str]]:
    for node, one in report.nodes.items():
        yield from ((node, why) for why in [*one.failed, *_gpus(one, asked), *_room(one, asked)])


def _gpus(one: NodeReport, asked: Slurm) -> Iterator[str]:
    if len(one.gpus) < asked.gpus_per_node:
        yield f"{len(one.gpus)} GPU(s), slurm.gpus_per_node asks for {asked.gpus_per_node}"
    needed = device_named(asked.gpu).memory_gib if asked.gpu is not None and asked.gpus_per_node else 0.0
    for number, gpu in enumerate(one.gpus):
        if gpu.memory_gib < needed:
            yield f"GPU {number}, {gpu.name}: {gpu.memory_gib:.1f} GiB, slurm.gpu: {asked.gpu} has {needed:g}"
        elif gpu.free_gib < asked.preflight.min_free_gpu * gpu.memory_gib:
            yield f"GPU {number}: {gpu.free_gib:.1f} of {gpu.memory_gib:.1f} GiB free, another process holds the rest"


def _room(one: NodeReport, asked: Slurm) -> Iterator[str]:
    if asked.memory_gib is not None and one.memory_gib < asked.memory_gib:
        yield f"{one.memory_gib:.0f} GiB of memory, slurm.memory_gib asks for {asked.memory_gib}"
    if one.free_disk_gib < asked.preflight.min_free_gib:
        least = asked.preflight.min_free_gib
        yield f"{one.free_disk_gib:.2f} GiB free in the run directory, preflight.min_free_gib is {least:g}"


def _odd_versions(report: Report) -> Iterator[tuple[str, str]]:
    first = next(iter(report.nodes.values()))
    for name in sorted({name for one in report.nodes.values() for name in one.versions}):
        have = {node: one.versions.get(name, "none") for node, one in report.nodes.items()}
        count = Counter(have.values())
        # Of equally many, what the first node has.
        right = max(count, key=lambda version: (count[version], version == first.versions.get(name, "none")))
        yield from (
            (node, f"{name} {version}, the others have {right}") for node, version in have.items() if version != right
        )


def _odd_clocks(report: Report, settings: Preflight) -> Iterator[tuple[str, str]]:
    clocks = [one.clock_s for one in report.nodes.values()]
    # Of two in the middle the one that is nearer to the first node, whose clock is 0.
    middle = min(statistics.median_low(clocks), statistics.median_high(clocks), key=abs)
    for node, one in report.nodes.items():
        skew = one.clock_s - middle
        if abs(skew) > settings.max_clock_skew_s:
            yield node, f"its clock is {abs(skew):.1f} s {'fast' if skew > 0 else 'slow'}"


def _apart(report: Report) -> Iterator[tuple[str, str]]:
    unseen = [(node, other) for node, one in report.nodes.items() for other in one.unseen]
    yield from _blamed(unseen, list(report.nodes), lambda other: f"does not share the run directory with {other}")
    failed = {pair.nodes: pair.error or "failed" for pair in report.pairs if pair.gb_per_s is None}
    for node, why in _blamed(list(failed), list(report.nodes), lambda other: f"no all-reduce with {other}"):
        yield node, f"{why}: {next(error for nodes, error in failed.items() if node in nodes)}"


def _blamed(
    broken: Sequence[tuple[str, str]], nodes: Sequence[str], why: Callable[[str], str]
) -> Iterator[tuple[str, str]]:
    """The fewest nodes without which nothing is broken between two; of two that may be it, the later one."""
    left = list(broken)
    while left:
        often: Mapping[str, int] = Counter(node for pair in left for node in pair)
        worst = max(often, key=lambda node: (often[node], nodes.index(node)))
        others = sorted({node for pair in left for node in pair if worst in pair and node != worst})
        yield worst, why(", ".join(others))
        left = [pair for pair in left if worst not in pair]
