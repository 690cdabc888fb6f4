"""The figures of README, from `benchmarks/results`: `python docs/figures.py` puts them there."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
_SHOWN = re.compile(r"(<!-- figures[^\n]*\n)(.*?)(<!-- end of figures -->)", re.DOTALL)


def table() -> str:
    """A row per figure: what, how much, and what it is compared with.

    A figure with a name in three parts is a detail of another, and stays in its file.
    """
    rows = ["| measured | figure | beside |", "|---|---|---|"]
    for path in sorted((ROOT / "benchmarks" / "results").glob("*.json")):
        for metric, figure in json.loads(path.read_bytes()).items():
            if metric.count("/") > 1:
                continue
            peers = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in figure["peers"].items())
            rows.append(f"| `{metric}` | {_number(figure['value'])} {figure['unit']} | {peers} |")
    return "\n".join(rows) + "\n"


def shown() -> str:
    """The figures that README has."""
    found = _SHOWN.search(README.read_text(encoding="utf-8"))
    assert found is not None
    return found[2]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.4g}"


if __name__ == "__main__":
    page = README.read_text(encoding="utf-8")
    README.write_text(_SHOWN.sub(lambda found: found[1] + table() + found[3], page), encoding="utf-8")
