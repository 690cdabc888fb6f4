"""What follows from a look at the nodes: training begins, or begins again without the bad ones, or not at all.

A node that is left out stays so until the run is submitted again.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from configs.atomic_file import atomic_file, write_json
from configs.errors import UnfinishedError
from slurm import attempts
from slurm.chain import chain_of
from slurm.preflight.judge import Faults, faults
from slurm.preflight.report import SPEEDS, Report, read, report_path
from slurm.preflight.script import EXCLUDE, PARTITION
from slurm.script import Job

_USABLE = ("idle", "mix", "alloc", "comp", "plnd", "boot")

_log = logging.getLogger(__name__)


def decide(job: Job, nodes: Sequence[str]) -> None:
    """Say what the look at the nodes of this job found.

    Args:
        nodes: of the job, the first one first.
    Raises:
        UnfinishedError: if some are bad and left out; the job is to begin again without them.
        UserError: if training cannot begin, with the reason; the chain is stopped.
    """
    attempts.refuse_stopped(job.folder)
    report = read(report_path(job.folder))
    found = faults(report, nodes, job.run.slurm)
    if not found:
        assert report is not None
        _log.info("%s", fit(report))
        return
    told = "; ".join(f"{node}: {', '.join(why)}" for node, why in found.items())
    before = attempts.excluded(job.folder)
    if len(found) == len(nodes):
        raise attempts.stopped(job.folder, f"no node is as it must be: {told}")
    if again := sorted(set(found) & set(before)):
        raise attempts.stopped(
            job.folder,
            f"{', '.join(again)} was left out, and Slurm gives it again: {told}; leave it out by options of the site "
            f"(--exclude={','.join(again)}), or have it mended",
        )
    earlier = "".join(f"{node}: {one['reason']}; " for node, one in before.items())
    out = sorted({*before, *found})
    left = [node for node in _partition(job.folder) if node not in out]
    if _partition(job.folder) and len(left) < job.run.slurm.nodes:
        raise attempts.stopped(
            job.folder,
            f"too few nodes are left: {len(left)} of the partition, slurm.nodes is {job.run.slurm.nodes}; left out: "
            f"{earlier}{told}",
        )
    _leave_out(job, found, out)
    raise UnfinishedError(f"{attempts.BEGINS_AGAIN}{', '.join(sorted(found))}; {told}")


def fit(report: Report) -> str:
    """A line about nodes that are all as they must be."""
    figures = []
    for name, unit in SPEEDS.items():
        speeds = [one.speeds[name] for one in report.nodes.values() if name in one.speeds]
        if speeds:
            figures.append(f"{name} {min(speeds):.3g} to {max(speeds):.3g} {unit}")
    return f"{len(report.nodes)} node(s) are as they must be: {', '.join(figures)}"


def _leave_out(job: Job, found: Faults, out: Sequence[str]) -> None:
    record = attempts.excluded(job.folder)
    here, now = os.environ.get("SLURM_JOB_ID", ""), datetime.now(UTC).isoformat(timespec="seconds")
    record |= {node: {"reason": ", ".join(why), "job": here, "time": now} for node, why in found.items()}
    write_json(job.folder / attempts.EXCLUDED, record)
    # What the site leaves out anyway would else be forgotten.
    sites = [word.partition("=")[2] for word in job.site.options if word.startswith("--exclude=")]
    mine = chain_of(job.folder).get("train", [])
    jobs = [here] if job.site.requeue else mine[mine.index(here) + 1 :] if here in mine else []
    with atomic_file(job.folder / EXCLUDE) as file:
        file.write("".join(f"{number} {','.join([*sites, *out])}\n" for number in jobs).encode())


def _partition(folder: Path) -> Mapping[str, str]:
    """Usable nodes of the job's partition, with their states; none if that is not known."""
    path = folder / PARTITION
    rows = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
    # The signs say that a node is booted when it is needed, and the like; a * stays: it does not answer.
    return {row[0]: row[1] for row in rows if len(row) == 2 and row[1].rstrip("~#!%$@^-") in _USABLE}
