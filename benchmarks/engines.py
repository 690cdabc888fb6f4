"""How far every engine and layout is from `single`, from the same files on gloo."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks.engine_lab.comparison import Difference, compare
from benchmarks.engine_lab.selection import SELECTION
from benchmarks.figures import Figures, figure

LOSSES, LOG_PROBABILITIES = 1e-4, 1e-4
"""Largest differences that are allowed: relative of losses, and in nats."""
STEPS = 20


def measure() -> Figures:
    """Train each combination of the selection for 20 steps in fp32."""
    with tempfile.TemporaryDirectory() as folder:
        return figures(compare(Path(folder), SELECTION, STEPS, timeout_s=1200))


def figures(differences: Mapping[str, Difference]) -> Figures:
    """For each combination the largest relative difference of a loss, of a gradient norm, and of log-probabilities.

    The last figures are the largest of all, and in how many combinations no document felt the one in front of it.
    """
    seen: Figures = {}
    for name, one in differences.items():
        seen[f"engines/{name}/losses"] = figure(one.losses, "relative", limit=LOSSES)
        seen[f"engines/{name}/gradient_norms"] = figure(one.norms, "relative")
        seen[f"engines/{name}/log_probabilities"] = figure(one.log_probabilities, "nats", limit=LOG_PROBABILITIES)
    every = differences.values()
    seen["engines/losses"] = figure(max(one.losses for one in every), "relative", limit=LOSSES)
    seen["engines/log_probabilities"] = figure(
        max(one.log_probabilities for one in every), "nats", limit=LOG_PROBABILITIES
    )
    seen["engines/without_leak"] = figure(sum(not one.leak for one in every), "count", least=len(differences))
    return seen
