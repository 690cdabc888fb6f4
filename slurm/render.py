"""The script of one stage."""

from __future__ import annotations

import shlex

from slurm.container import srun_options
from slurm.preflight.script import looked_at
from slurm.script import BatchStage, Job, beginning

# What torch.distributed reads, from what srun gives each process.
_AS_RANK = "export RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID"

_AT_FIRST_NODE = [
    "# The processes meet on this node, the first of the job, at a port where nobody listens.",
    'MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)',
    "MASTER_PORT=$((10000 + SLURM_JOB_ID % 20000))",
    'taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1" || exec 3<>"/dev/tcp/$MASTER_ADDR/$1") 2>/dev/null; }',
    'while taken "$MASTER_PORT"; do MASTER_PORT=$((MASTER_PORT + 1)); done',
]


def render(job: Job, stage: BatchStage) -> str:
    """The sbatch script of one stage, to be submitted from the directory that the run file's paths start at."""
    lines = beginning(job, stage)
    if stage.trains:
        lines += _training(job, stage)
    elif stage.ray_nodes is not None:
        lines += _on_ray(job, stage, stage.ray_nodes)
    elif stage.array is not None:
        share = f'"$SLURM_ARRAY_TASK_ID/{stage.array}"'
        lines.append(job.alone(f"{job.on_run(stage.command)} {share}"))
    else:
        lines.append(job.alone(job.on_run(stage.command)))
    return "\n".join(lines) + "\n"


def _on_ray(job: Job, stage: BatchStage, nodes: int) -> list[str]:
    # Without --no-kill: a job that has it and loses its first node, where this script is, hangs on to its time limit.
    srun = ["srun", f"--ntasks={nodes}", f"--cpus-per-task={job.run.slurm.cpus_per_task}", "--kill-on-bad-exit=1"]
    command = job.inside(job.on_run(stage.command))
    return [
        *_AT_FIRST_NODE,
        "export MASTER_ADDR MASTER_PORT",
        "# What keeps others out of this job's Ray cluster.",
        "RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \\n')",
        "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN",
        "",
        " ".join([*srun, *srun_options(job.site.container), "\\"]),
        '  bash -c \'exec "$@" --node="$SLURM_PROCID" --head="$MASTER_ADDR" --port="$MASTER_PORT"\' node \\',
        f"  {command}",
    ]


def _training(job: Job, stage: BatchStage) -> list[str]:
    stop = shlex.quote(str(job.run.run.dir / "stop"))
    return [
        *_meeting_point(job),
        *(looked_at(job) if job.run.slurm.preflight.enabled else []),
        "# Ends the job here if training must not go on, and says why.",
        job.here(job.on_run("slurm begin")),
        "",
        "# The warning before the time limit: training looks for this file after every step, saves and ends.",
        f"trap 'touch {stop}' USR1" if "'" not in stop else f'trap "touch {stop}" USR1',
        f"rm -f {stop}",
        *_launch(job, stage),
        "training=$!",
        "# The trap ends a wait early.",
        'status=0; wait "$training" || status=$?',
        'while kill -0 "$training" 2>/dev/null; do status=0; wait "$training" || status=$?; done',
        f"rm -f {stop}",
        "",
        *_going_on(job),
    ]


def _meeting_point(job: Job) -> list[str]:
    if job.run.slurm.nodes * job.run.pretrain.parallel.processes == 1:
        return []
    return [
        *_AT_FIRST_NODE,
        "export MASTER_ADDR MASTER_PORT OMP_NUM_THREADS=1",
        "",
    ]


def _launch(job: Job, stage: BatchStage) -> list[str]:
    """One process per task, started by srun itself, or by a torchrun on each node."""
    settings, processes = job.run.slurm, job.run.pretrain.parallel.processes
    tasks = settings.nodes * processes
    extra = [*srun_options(job.site.container), *job.site.srun_options]
    launcher: list[str] = []
    command = job.on_run(stage.command)
    if settings.launcher == "torchrun":
        srun = f"srun --ntasks={settings.nodes} --cpus-per-task={settings.cpus_per_task * processes}"
        meet = ' --master-addr="$MASTER_ADDR" --master-port="$MASTER_PORT"' if tasks > 1 else ""
        torchrun = f"torch.distributed.run --nnodes={settings.nodes} --nproc-per-node={processes}{meet} --no-python"
        # torchrun reads what is only known within the step from the environment.
        launcher = [
            "  bash -c 'PET_NODE_RANK=$SLURM_NODEID exec \"$@\"' node \\",
            f"  {job.inside(job.python_module(torchrun))} \\",
        ]
    else:
        srun = f"srun --ntasks={tasks} --cpus-per-task={settings.cpus_per_task}"
        command = job.inside(command)
    as_rank = [f"    {_AS_RANK}"] if tasks > 1 and not launcher else []
    return [
        " ".join([srun, "--kill-on-bad-exit=1", *extra, "\\"]),
        *launcher,
        "  bash -c '",
        *as_rank,
        "    trap : TERM USR1  # for training to hear; this shell waits for it",
        '    status=0; "$@" || status=$?',
        "    # Saved, but not finished: no failure, for which the other processes would be killed.",
        '    [ "$status" -eq 75 ] || exit "$status"',
        "  ' rank \\",
        f"  {command} &",
    ]


def _going_on(job: Job) -> list[str]:
    """What a training that has ended is followed by."""
    lines = ["# A failure for which a node is to blame is none of the run's.", "answer=yes"]
    if job.run.slurm.nodes > 1:
        ask = 'timeout 60 srun --overlap --nodes="$SLURM_NNODES" --ntasks="$SLURM_NNODES" --cpus-per-task=1 true'
        lines += ['if [ "$status" -ne 0 ]; then', f"  {ask} || answer=no", "fi"]
    end = job.here(job.on_run("slurm end"))
    lines += [
        "# 0: trained to the end. 75: not finished, goes on. Else it stops here, and the log says why.",
        f'verdict=0; {end} --status="$status" --nodes-answer="$answer" || verdict=$?',
    ]
    if job.site.requeue:
        lines += [
            'if [ "$verdict" -eq 75 ]; then',
            "  # The controller may be away for a while; it ends this script.",
            "  for _ in {1..60}; do",
            '    scontrol requeue "$SLURM_JOB_ID" && sleep 60',
            "    sleep 10",
            "  done",
            "fi",
        ]
    return [*lines, 'exit "$verdict"']
