"""The part of a training job's script that looks at its nodes first."""

from __future__ import annotations

import shlex

from slurm.container import srun_options
from slurm.script import Job

EXCLUDE, PARTITION = "exclude.txt", "partition.txt"
"""Which job is to leave out which nodes, for the script; the partition's nodes with their states, from sinfo."""

_SLACK_S = 240
"""To measure, and to try the nodes in pairs, of which each attempt may take half a minute."""


def on_every_node(job: Job) -> list[str]:
    """The words that look at each node of the job, for the shell."""
    settings, processes = job.run.slurm, job.run.pretrain.parallel.processes
    return [
        f"srun --ntasks={settings.nodes} --ntasks-per-node=1 --cpus-per-task={settings.cpus_per_task * processes}",
        # One that fails or hangs must not keep the others from telling what they found.
        *("--kill-on-bad-exit=0", "--wait=60"),
        *srun_options(job.site.container),
        job.inside(job.on_run("slurm look")),
    ]


def looked_at(job: Job) -> list[str]:
    """Look at every node, and begin again without the bad ones, if there are any."""
    limit = 2 * job.run.slurm.preflight.wait_s + _SLACK_S
    exclude, partition = (shlex.quote(str(job.folder / name)) for name in (EXCLUDE, PARTITION))
    judge = job.here(job.on_run("slurm judge"))
    lines = [
        "# Every node is looked at first; training begins again without one that is not as it must be.",
        f"timeout {limit} {' '.join(on_every_node(job))} || true",
        f'sinfo --noheader --Node --partition="$SLURM_JOB_PARTITION" --format="%N %t" > {partition} || true',
        'nodes=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | paste -sd " ")',
        f'fit=0; {judge} --nodes="$nodes" || fit=$?',
        'if [ "$fit" -eq 75 ]; then',
    ]
    if job.site.requeue:
        lines += [
            "  trap '' TERM  # of the requeue, which must not come before the end of what follows",
            '  scontrol requeue "$SLURM_JOB_ID"',
        ]
    lines += [
        f'  while read -r id out; do scontrol update JobId="$id" ExcNodeList="$out"; done < {exclude}',
    ]
    if job.site.requeue:
        lines.append("  sleep 60  # it ends this script")
    return [*lines, "fi", '[ "$fit" -eq 0 ] || exit "$fit"', ""]
