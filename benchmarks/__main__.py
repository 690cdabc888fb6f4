"""`python -m benchmarks NAME [--json]`: what is measured, as ratios against a peer or a limit of the same run."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module

NAMES = ("corpus", "kernels", "order", "plan", "quickstart", "training")


def main() -> int:
    """Run one benchmark and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--json", action="store_true", help="print for machines")
    arguments = parser.parse_args()
    figures = import_module(f"benchmarks.{arguments.name}").measure()
    if arguments.json:
        sys.stdout.write(json.dumps(figures, indent=1) + "\n")
        return 0
    for metric, figure in figures.items():
        peers = "  ".join(f"{name} {value:,.4g}" for name, value in figure["peers"].items())
        sys.stdout.write(f"{metric:<34} {figure['value']:>10,.4g} {figure['unit']:<10} {peers}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
