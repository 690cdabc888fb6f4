"""How long `tsugiki plan` takes, beside Python doing nothing."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.figures import Figures, best_seconds, figure


def measure() -> Figures:
    """Seconds of the whole command."""

    def run(*words: str) -> float:
        return best_seconds(lambda: subprocess.run([sys.executable, *words], check=True, capture_output=True))

    plan = run("-m", "tsugiki", "plan", "configs/quickstart.yaml")
    return {"plan/seconds": figure(plan, "s", python_alone=run("-c", "pass"), limit=0.7)}
