"""The look at nodes as a command of its own: within an allocation at all of its nodes, else at this machine."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace

from configs.errors import UserError
from slurm.batch import hostnames
from slurm.chain import make_private
from slurm.preflight.judge import Faults, faults
from slurm.preflight.look import look
from slurm.preflight.report import Report, read, report_path
from slurm.preflight.script import on_every_node
from slurm.script import Job


def preflight(job: Job) -> tuple[Report | None, Faults]:
    """Look, and judge; nothing is left out, and nothing is stopped.

    Raises:
        UserError: if srun is missing within an allocation.
    """
    make_private(job)
    path = report_path(job.folder)
    path.unlink(missing_ok=True)
    given = os.environ.get("SLURM_JOB_NODELIST")
    if given is None:
        look(job.run.run.dir, path, job.run.slurm.preflight)
        report = read(path)
        return report, faults(report, list(report.nodes) if report is not None else [], job.run.slurm)
    nodes = hostnames(given)
    asked = job.run.slurm.model_copy(update={"nodes": len(nodes)})
    here = replace(job, run=job.run.model_copy(update={"slurm": asked}))
    # As in the script of a training; nothing listens there, unless a training of this allocation runs already.
    meet = {"MASTER_ADDR": nodes[0], "MASTER_PORT": str(10000 + int(os.environ["SLURM_JOB_ID"]) % 20000)}
    command = shlex.split(" ".join(on_every_node(here)))
    try:
        subprocess.run(command, env={**os.environ, **meet, "SLURM_EXPORT_ENV": "ALL"}, check=False)
    except FileNotFoundError:
        raise UserError("srun: no such command here; run this where the allocation was made") from None
    report = read(path)
    return report, faults(report, nodes, asked)
