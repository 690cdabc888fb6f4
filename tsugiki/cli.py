"""The command line: `tsugiki run|plan|verify|report|bundle`, and each package's own verbs below its name."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import corpus.cli
import pretrain.cli
import slurm.cli
import tokenizer.cli
from configs import cli

if TYPE_CHECKING:
    from configs.schema.run import Run


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add all nouns and verbs."""
    parser.description = "Continued pretraining for Japanese large language models."
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    run = commands.add_parser("run", help="do all stages of a run on this machine, or what is missing of them")
    cli.add_run_file(run)
    run.set_defaults(do=_run)
    plan = commands.add_parser("plan", help="show what would be done")
    cli.add_run_file(plan)
    plan.add_argument("--json", action="store_true", help="print for machines")
    plan.set_defaults(do=_plan)
    verify = commands.add_parser("verify", help="rehash everything that was written")
    verify.add_argument("dir", type=Path, metavar="DIR", help="a run directory, or a part of one")
    verify.set_defaults(do=_verify)
    report = commands.add_parser("report", help="show the results of a finished run")
    cli.add_run_file(report)
    report.add_argument("--json", action="store_true", help="print for machines")
    report.add_argument("--svg", type=Path, metavar="FILE", help="draw the screen of results into a file")
    report.set_defaults(do=_report)
    _add_bundle(commands.add_parser("bundle", help="gather what a site without a network needs to install this"))
    for name, add, help_ in (
        ("corpus", corpus.cli.verbs, "from raw text to clean shards"),
        ("tokenizer", tokenizer.cli.verbs, "extend the base's tokenizer"),
        ("pretrain", partial(pretrain.cli.verbs, train="tsugiki.launch:train"), "pack, train, export"),
        ("slurm", slurm.cli.verbs, "batch scripts for a cluster"),
    ):
        add(commands.add_parser(name, help=help_))


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to")
    parser.add_argument("--python", metavar="3.12", help="of the closed site (default: the one that runs this)")
    parser.add_argument("--cuda", metavar="12.8", help="that torch is built for (default: what the package index has)")
    parser.add_argument("--torch-index", metavar="URL", help="package index that has torch for this CUDA")
    parser.add_argument(
        "--extras", default="deepspeed,megatron", metavar="NAMES", help="optional parts, or none (default: %(default)s)"
    )
    parser.add_argument("--also", action="append", default=[], metavar="REQUIREMENT", help="one more package; again")
    parser.add_argument("--no-torch", action="store_true", help="leave torch out, for a site whose Python has it")
    parser.set_defaults(do=_bundle)


def _bundle(arguments: argparse.Namespace) -> None:
    from configs import log
    from tsugiki.bundle.build import RUNNING, Wanted, bundle

    log.set_up()
    wanted = Wanted(
        python=arguments.python or RUNNING,
        cuda=arguments.cuda,
        extras=() if arguments.extras == "none" else tuple(arguments.extras.split(",")),
        also=tuple(arguments.also),
        torch=not arguments.no_torch,
    )
    made = bundle(arguments.out, wanted, arguments.torch_index)
    cli.say(f"{made.dir}: {made.counts['wheels']} wheels, {made.counts['bytes'] / 1e6:,.0f} MB; install.sh installs it")


def _run(arguments: argparse.Namespace) -> None:
    from configs import log
    from tsugiki.run import run_all

    log.set_up()
    _show(run_all(arguments.run_file, arguments.overrides))


def _plan(arguments: argparse.Namespace) -> None:
    from tsugiki.plan import plan_lines, planned

    run = cli.load_run(arguments)
    cli.say(json.dumps(planned(run), ensure_ascii=False, indent=1) if arguments.json else "\n".join(plan_lines(run)))


def _verify(arguments: argparse.Namespace) -> None:
    from tsugiki.verify import verify

    for line in verify(arguments.dir):
        cli.say(line)


def _report(arguments: argparse.Namespace) -> None:
    run = cli.load_run(arguments)
    if arguments.json:
        from tsugiki.report.results import results

        cli.say(json.dumps(results(run), ensure_ascii=False, indent=1))
    elif arguments.svg is not None:
        from configs.atomic_file import atomic_file
        from tsugiki.report.results import Finished, results
        from tsugiki.report.screen import draw

        with atomic_file(arguments.svg) as out:
            out.write(draw(results(run), Finished.open(run).samples).encode())
    else:
        _show(run)


def _show(run: Run) -> None:
    from tsugiki.report.results import Finished, results
    from tsugiki.report.screen import show

    show(results(run), Finished.open(run).samples)
