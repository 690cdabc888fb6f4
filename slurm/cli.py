"""`tsugiki slurm render|submit|status|cancel|logs|preflight`; and what training jobs ask: look, judge, begin, end."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs.cli import add_run_file, load_run, say

if TYPE_CHECKING:
    from configs.schema.run import Run
    from slurm.script import Job

# The stages are planned by packages that this one does not know; the front door does.
_CHAIN = "tsugiki.chain"
_STAGES = ("corpus", "tokenizer", "pack", "train", "export")


class _AnyOrder(argparse.ArgumentParser):
    """A parser whose words may stand on either side of its options; of itself Python 3.11 has `logs RUN.yaml STAGE
    --set KEY=VALUE` only, as a word that may be left out counts as left out at the first option."""

    _inside = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[argparse.Namespace, list[str]]:  # type: ignore[override]  # typeshed has overloads
        """What subparsers are asked for; parse_known_intermixed_args asks for it twice."""
        if self._inside:
            return super().parse_known_args(args, namespace)
        self._inside = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._inside = False


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    commands = parser.add_subparsers(metavar="VERB", required=True, parser_class=_AnyOrder)
    render = _verb(commands, "render", _render, "write the batch script of every stage")
    render.add_argument("--out", type=Path, metavar="DIR", help="where to (default: slurm/ in the run directory)")
    submit = _verb(commands, "submit", _submit, "submit the stages that are not complete, each after the one before")
    submit.add_argument(
        "--from", dest="first", choices=_STAGES, help="the stage to begin with; those before are complete"
    )
    submit.add_argument("--dry-run", action="store_true", help="show what would be submitted")
    submit.add_argument("--json", action="store_true", help="print for machines")
    status = _verb(commands, "status", _status, "show where the jobs stand")
    status.add_argument("--watch", type=float, nargs="?", const=10.0, metavar="SECONDS", help="show it again and again")
    status.add_argument("--json", action="store_true", help="print for machines")
    _verb(commands, "cancel", _cancel, "end the jobs; what is saved stays, and submit goes on from there")
    logs = _verb(commands, "logs", _logs, "print the log of a stage's latest job")
    logs.add_argument("stage", nargs="?", choices=_STAGES, help="default: the last that has one")
    logs.add_argument("--lines", type=int, default=40, metavar="N", help="so many from its end (default: 40)")
    preflight = _verb(commands, "preflight", _preflight, "look at the nodes of this allocation, or at this machine")
    preflight.add_argument("--json", action="store_true", help="print for machines")
    _verb(commands, "look", _look, "for training jobs: look at this node, together with the others of the job")
    judge = _verb(commands, "judge", _judge, "for training jobs: what follows from the look at the nodes")
    judge.add_argument("--nodes", required=True, metavar="NAMES", help="nodes of the job, the first one first")
    _verb(commands, "begin", _begin, "for training jobs: whether training may go on")
    end = _verb(commands, "end", _end, "for training jobs: what follows a training that has ended")
    end.add_argument("--status", type=int, required=True, metavar="N", help="exit status of srun")
    end.add_argument("--nodes-answer", choices=("yes", "no"), required=True, help="whether all nodes of the job do")


def _verb(commands: Any, name: str, do: Any, help_: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_)
    add_run_file(parser)
    parser.set_defaults(do=do)
    return parser


def _job(arguments: argparse.Namespace) -> Job:
    from configs.schema.site import site_named
    from slurm.script import Job

    run = load_run(arguments)
    return Job(run, arguments.run_file, site_named(run.slurm.site), sys.executable, tuple(arguments.overrides))


def _directories(run: Run) -> dict[str, Path]:
    found: dict[str, Path] = import_module(_CHAIN).directories(run)
    return found


def _render(arguments: argparse.Namespace) -> None:
    from slurm.chain import write_scripts

    job = _job(arguments)
    for path in write_scripts(job, arguments.out or job.folder):
        say(str(path))


def _submit(arguments: argparse.Namespace) -> None:
    from slurm.chain import make_private, steps, submit

    job = _job(arguments)
    todo = steps(job, _directories(job.run), arguments.first)
    if arguments.dry_run:
        plan = {step.stage.name: len(step.scripts) for step in todo}
        say(
            json.dumps(plan)
            if arguments.json
            else "\n".join(f"{name:<10} {jobs} job(s)" for name, jobs in plan.items())
        )
        return
    submitted: dict[str, list[str]] = {}
    if todo:
        make_private(job)
        import_module(_CHAIN).prepare(job.run)
        submitted = submit(job, todo)
    if arguments.json:
        say(json.dumps(submitted))
    elif not todo:
        say("everything is complete")
    for name, numbers in submitted.items() if not arguments.json else ():
        say(f"{name:<10} {' '.join(numbers)}")


def _status(arguments: argparse.Namespace) -> None:
    from slurm.status import lines, status

    run = load_run(arguments)
    while True:
        found = status(run, _directories(run))
        if arguments.json:
            say(json.dumps([one.to_json() for one in found], ensure_ascii=False))
        else:
            say("\n".join(lines(found)))
        sys.stdout.flush()
        if arguments.watch is None or not any(one.alive for one in found):
            return
        time.sleep(arguments.watch)


def _cancel(arguments: argparse.Namespace) -> None:
    from slurm.chain import cancel
    from slurm.script import FOLDER

    ended = cancel(load_run(arguments).run.dir / FOLDER)
    say(f"cancelled {', '.join(ended)}" if ended else "no job of it is waiting or running")


def _logs(arguments: argparse.Namespace) -> None:
    from configs.errors import UserError
    from slurm.status import status
    from slurm.training import last_lines

    run = load_run(arguments)
    found = [one for one in status(run, _directories(run)) if one.log and arguments.stage in (None, one.stage)]
    if not found:
        raise UserError(
            f"no log of {arguments.stage or 'any stage'} yet; `tsugiki slurm status` shows what jobs wait for"
        )
    say("\n".join(last_lines(Path(found[-1].log or ""))[-arguments.lines :]))


def _preflight(arguments: argparse.Namespace) -> None:
    from configs.errors import UserError
    from slurm.preflight.by_hand import preflight
    from slurm.preflight.verdict import fit

    report, found = preflight(_job(arguments))
    if arguments.json:
        say(json.dumps({"faults": found, **(report.to_json() if report is not None else {})}, ensure_ascii=False))
    elif report is not None and not found:
        say(fit(report))
    if found:
        raise UserError("; ".join(f"{node}: {', '.join(why)}" for node, why in found.items()))


def _look(arguments: argparse.Namespace) -> None:
    from configs.errors import UserError
    from slurm.preflight.look import look
    from slurm.preflight.report import report_path
    from slurm.script import FOLDER

    run = load_run(arguments)
    try:
        look(run.run.dir, report_path(run.run.dir / FOLDER), run.slurm.preflight)
    except RuntimeError as error:  # of torch's store
        raise UserError(f"the first node of the job does not answer this one: {str(error).splitlines()[0]}") from error


def _judge(arguments: argparse.Namespace) -> None:
    from configs import log
    from slurm.preflight.verdict import decide

    log.set_up()
    decide(_job(arguments), arguments.nodes.split())


def _begin(arguments: argparse.Namespace) -> None:
    from slurm.attempts import begin

    job = _job(arguments)
    begin(job.folder, _directories(job.run)["train"], _log(job))


def _end(arguments: argparse.Namespace) -> None:
    from slurm.attempts import AGAIN, GOES_ON, end

    job = _job(arguments)
    checkpoints = _directories(job.run)["train"]
    if end(job.folder, checkpoints, _log(job), arguments.status, nodes_answer=arguments.nodes_answer == "yes") == AGAIN:
        from configs.errors import UnfinishedError

        raise UnfinishedError(GOES_ON)


def _log(job: Job) -> Path:
    return job.folder / f"{os.environ.get('SLURM_JOB_ID')}-train.log"
