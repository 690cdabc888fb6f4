"""What all command lines share: the run file, `--set`, and how errors end a program.

Exit 0: done. 1: something outside the program is wrong. 2: the run file or the command line is. 75: asked to stop, and
saved. 130: Ctrl-C. Anything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import log
from configs.child import STARTED_BY, follow_starter
from configs.clash import refuse_strangers
from configs.errors import AgreedError, ConfigError, UserError, from_os_error
from configs.interrupt import STATUS as INTERRUPTED
from configs.interrupt import interruptible
from configs.lock import exclusive

if TYPE_CHECKING:
    from configs.schema.run import Run

_FIRST_TELLS_S = 10.0
"""How much later than others the first process of a launch may find out that the run file is wrong."""

Verbs = Callable[[argparse.ArgumentParser], None]
"""Adds the verbs of a package to its parser; a verb sets `do`, a function of the parsed arguments."""


def add_run_file(parser: argparse.ArgumentParser) -> None:
    """Add what every verb on a run takes."""
    parser.add_argument("run_file", type=Path, metavar="RUN.yaml", help="the run file")
    add_set(parser, "override one key, e.g. --set pretrain.optim.lr=2e-5; may be given again")


def add_set(parser: argparse.ArgumentParser, help_: str, metavar: str = "KEY=VALUE") -> None:
    """Add `--set`, whose assignments are the arguments' `overrides`."""
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar=metavar, help=help_)


def add_stage(commands: Any, verb: str, work: str, help_: str) -> None:
    """Add a verb that does one stage of a run.

    Args:
        work: the function of the run that does it, as `module:function`; imported only when the verb is called.
    """
    parser = commands.add_parser(verb, help=help_)
    add_run_file(parser)
    parser.set_defaults(do=lambda arguments: do_stage(arguments, work))


def do_stage(arguments: argparse.Namespace, work: str) -> None:
    """Do one stage of the run that the arguments name, with nobody else in its directory."""
    from configs.load import read_placed, validate
    from configs.resolved import write_resolved
    from configs.schema.run import Run

    placed = read_placed(arguments.run_file, arguments.overrides)
    run = validate(placed, Run)
    log.set_up()
    module, function = work.split(":")
    # Of the processes of one launch only the first holds the lock; the others are its own.
    first = _is_first()
    with exclusive(run.run.dir) if first else nullcontext():
        if first and STARTED_BY not in os.environ:
            write_resolved(run, placed, run.run.dir)
        getattr(import_module(module), function)(run)


def _is_first() -> bool:
    """Of the processes of one launch."""
    return os.environ.get("RANK", "0") == "0"


def load_run(arguments: argparse.Namespace) -> Run:
    """The run that the arguments name."""
    from configs.load import load
    from configs.schema.run import Run

    return load(arguments.run_file, Run, arguments.overrides)


def say(text: str) -> None:
    """Print a line of results."""
    sys.stdout.write(f"{text}\n")


def main(program: str, verbs: Verbs, argv: Sequence[str] | None = None) -> int:
    """Parse the command line and do what it says; gives the exit status."""
    parser = argparse.ArgumentParser(prog=program)
    verbs(parser)
    arguments = parser.parse_args(argv)
    started = follow_starter()
    try:
        with interruptible():
            refuse_strangers()
            arguments.do(arguments)
    except ConfigError as error:
        if _is_first():
            sys.stderr.write(f"{error}\n")
        else:
            # A launcher ends all processes as soon as one fails, and the first may not have told it yet.
            time.sleep(_FIRST_TELLS_S)
        return error.exit_code
    except UserError as error:
        if not isinstance(error, AgreedError) or _is_first():
            sys.stderr.write(f"tsugiki: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        if not started:
            sys.stderr.write("\ntsugiki: stopped; finished work is kept, the same command goes on from there\n")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        sys.stderr.close()
        return 1
    except OSError as error:
        mendable = from_os_error(error)
        if mendable is None:
            raise
        sys.stderr.write(f"tsugiki: {mendable}\n")
        return mendable.exit_code
    return 0
