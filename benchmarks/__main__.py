"""`python -m benchmarks NAME [--json]`: what is measured, as ratios against a peer or a limit of the same run.

It exits with 1 if a figure is beyond its limit.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

from benchmarks.figures import failed

NAMES = (
    "checkpoint",
    "convert",
    "corpus",
    "dedup",
    "engines",
    "kernels",
    "order",
    "plan",
    "pretrain",
    "quickstart",
    "tokenise",
)


def main() -> int:
    """Run one benchmark and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print for machines")
    parser.add_argument("--gigabytes", type=float, metavar="N", help="size of what `convert` converts")
    arguments = parser.parse_args()
    if arguments.gigabytes is not None and arguments.name != "convert":
        parser.error(f"{arguments.name} has one size")
    settings = {} if arguments.gigabytes is None else {"gigabytes": arguments.gigabytes}
    figures = import_module(f"benchmarks.{arguments.name}").measure(**settings)
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
