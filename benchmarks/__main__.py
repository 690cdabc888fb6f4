"""`python -m benchmarks NAME [--json]`: what is measured, as ratios against a peer or a limit of the same run.

It exits with 1 if a figure is beyond its limit.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from typing import Any

from benchmarks.figures import failed
from configs.errors import UserError

NAMES = (
    "checkpoint",
    "convert",
    "corpus",
    "dedup",
    "engines",
    "kernels",
    "order",
    "personal_data",
    "plan",
    "pretrain",
    "quickstart",
    "rows",
    "tokenise",
    "tokenizer",
)


def main() -> int:
    """Run one benchmark and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print for machines")
    parser.add_argument("--gigabytes", type=float, metavar="N", help="of what `convert` converts, or `tokenizer` reads")
    parser.add_argument("--sizes", nargs="+", metavar="NAME", help="models that `pretrain` trains, e.g. 0.1B")
    arguments = parser.parse_args()
    settings: dict[str, Any] = {}
    for option, names in (("gigabytes", ("convert", "tokenizer")), ("sizes", ("pretrain",))):
        if getattr(arguments, option) is not None:
            if arguments.name not in names:
                parser.error(f"{arguments.name} has no --{option}")
            settings[option] = getattr(arguments, option)
    try:
        figures = import_module(f"benchmarks.{arguments.name}").measure(**settings)
    except UserError as error:
        parser.error(str(error))
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    else:
        for metric, figure in figures.items():
            peers = "  ".join(f"{name} {value:,.4g}" for name, value in figure["peers"].items())
            sys.stdout.write(f"{metric:<34} {figure['value']:>10,.4g} {figure['unit']:<10} {peers}\n")
    beyond = failed(figures)
    if beyond:
        sys.stderr.write(f"beyond the limit: {', '.join(beyond)}\n")
    return 1 if beyond else 0


if __name__ == "__main__":
    raise SystemExit(main())
