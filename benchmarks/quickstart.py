"""The whole quickstart on this machine: how long, how much memory, and what the model learned, beside its limits.

What it learned stands beside the untouched base, and beside the same run without new tokens: in so short a run new
rows cost more than they bring.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures, figure
from benchmarks.watched import Watched, watch

_RUN_FILE = "configs/quickstart.yaml"


def run_quickstart(run_dir: Path, *overrides: str) -> Watched:
    """The run of `make quickstart`, in a directory of its own."""
    return watch([sys.executable, "-m", "tsugiki", "run", _RUN_FILE, *_options(run_dir, overrides)])


def report(run_dir: Path, *overrides: str) -> dict[str, Any]:
    """What `tsugiki report --json` prints of it."""
    command = [sys.executable, "-m", "tsugiki", "report", _RUN_FILE, "--json", *_options(run_dir, overrides)]
    figures: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return figures


def _options(run_dir: Path, overrides: Sequence[str]) -> list[str]:
    return [word for one in (f"run.dir={run_dir}", *overrides) for word in ("--set", one)]


def _learned(*overrides: str) -> tuple[Watched, dict[str, dict[str, float]]]:
    with tempfile.TemporaryDirectory() as folder:
        done = run_quickstart(Path(folder) / "run", *overrides)
        if done.exit_code != 0:
            raise SystemExit(done.stderr)
        return done, report(Path(folder) / "run", *overrides)["bits_per_character"]


def _bits(ours: dict[str, float], plain: dict[str, float]) -> dict[str, Any]:
    return figure(ours["trained"], "bits", untouched_base=ours["base"], no_new_tokens=plain["trained"])


def measure() -> Figures:
    """From an empty run directory to the checked model."""
    done, bits = _learned()
    _, plain = _learned("tokenizer.add=0")
    return {
        "quickstart/seconds": figure(done.seconds, "s", limit=720),
        "quickstart/peak_memory": figure(done.peak_bytes / 1e9, "GB", limit=8),
        "quickstart/bits_per_character_ja": _bits(bits["ja"], plain["ja"]),
        "quickstart/bits_per_character_en": _bits(bits["en"], plain["en"]),
    }
