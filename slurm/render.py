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
    """Ray's head on the first node, where this script is, and the other nodes in steps that outlive one of them."""
    command = job.inside(job.on_run(stage.command))
    cpus, container = f"--cpus-per-task={job.run.slurm.cpus_per_task}", srun_options(job.site.container)
    at_head = '--head="$MASTER_ADDR" --port="$MASTER_PORT"'
    lines = [
        *_AT_FIRST_NODE,
        "export MASTER_ADDR MASTER_PORT",
        "# What keeps others out of this job's Ray cluster.",
        "RAY_AUTH_TOKEN=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \\n')",
        "export RAY_AUTH_MODE=token RAY_AUTH_TOKEN",
        "",
    ]
    if nodes > 1:
        others = f"--relative=1 --nodes={nodes - 1} --ntasks={nodes - 1} --ntasks-per-node=1 --no-kill"
        log = shlex.quote(str(job.folder)) + f'/"$SLURM_JOB_ID-{stage.name}.log"'
        lines += [
            "# The other nodes. One that dies takes none of the others with it, and its tasks are done again.",
            " ".join(["srun", others, cpus, *container, "\\"]),
            f"""  bash -c 'exec "$@" --node="$((SLURM_PROCID + 1))" {at_head}' node \\""",
            f"  {command} &",
            "workers=$!",
            *_watched(others, log),
            "",
        ]
    return [
        *lines,
        " ".join(['status=0; srun --nodelist="$MASTER_ADDR" --nodes=1 --ntasks=1', cpus, *container, "\\"]),
        f"  {command} --node=0 {at_head} || status=$?",
        *(['for _ in {1..20}; do kill -0 "$workers" 2>/dev/null || break; sleep 1; done'] if nodes > 1 else []),
        'exit "$status"',
    ]


def _watched(others: str, log: str) -> list[str]:
    """A step that has the job begin again where its first node dies, and this script with it, of which nobody else
    would take notice: Slurm lets a job live that has --no-kill."""
    return [
        "# The first may die, too, and this script with it: then the others have the job begin again, or end.",
        "# Ten minutes for the head to begin; then two without an answer are longer than it takes to end.",
        f"srun --overlap {others} --cpus-per-task=1 bash -c '",
        '  exec >> "$1" 2>&1  # for srun dies with that node',
        "  looks=60",
        '  while [ "$looks" -gt 0 ]; do',
        '    if timeout 5 bash -c "exec 3<>/dev/tcp/$MASTER_ADDR/$MASTER_PORT" 2>/dev/null; then looks=12; fi',
        "    looks=$((looks - 1)); sleep 10",
        "  done",
        '  echo "$(hostname): $MASTER_ADDR, the first node of the job, does not answer"',
        "  for _ in {1..60}; do",
        '    scontrol requeue "$SLURM_JOB_ID" || {',
        '      echo "tsugiki: $MASTER_ADDR, the first node of the job, has died; submit the run again"',
        '      scancel "$SLURM_JOB_ID"',
        "    }",
        "    sleep 70",
        "  done",
        f"' watch {log} &",
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
