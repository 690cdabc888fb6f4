"""`tsugiki tokenizer extend|curve|check`."""

from __future__ import annotations

import argparse

from tokenizer.check_cli import add_check
from tokenizer.curve_cli import add_curve
from tokenizer.extend_cli import add_extend


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    commands = parser.add_subparsers(metavar="VERB", required=True)
    add_extend(commands)
    add_curve(commands)
    add_check(commands)
