"""`tsugiki slurm render`."""

from __future__ import annotations

import argparse
from pathlib import Path

from configs.cli import add_run_file, load_run, say


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    commands = parser.add_subparsers(metavar="VERB", required=True)
    render = commands.add_parser("render", help="write the batch script of every stage")
    add_run_file(render)
    render.add_argument("--out", type=Path, metavar="DIR", help="where to (default: slurm/ in the run directory)")
    render.set_defaults(do=_render)


def _render(arguments: argparse.Namespace) -> None:
    from configs.atomic_file import atomic_file
    from slurm.render import STAGES, render

    run = load_run(arguments)
    folder = arguments.out or run.run.dir / "slurm"
    for number, stage in enumerate(STAGES, start=1):
        path = folder / f"{number}-{stage.name}.sbatch"
        with atomic_file(path) as out:
            out.write(render(run, arguments.run_file, stage).encode())
        say(str(path))
