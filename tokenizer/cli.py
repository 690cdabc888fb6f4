"""`tsugiki tokenizer extend`."""

from __future__ import annotations

import argparse

from configs.cli import add_stage


def verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    commands = parser.add_subparsers(metavar="VERB", required=True)
    work = "tokenizer.extend:extend_tokenizer"
    add_stage(commands, "extend", work, "add frequent units of the corpus to the base's tokenizer")
