"""Extending a tokenizer: what it gains on text that nothing was learned from, and what it costs."""

from __future__ import annotations

from benchmarks.extension import extension_figures
from benchmarks.figures import Figures


def measure() -> Figures:
    """Characters per token of base and extension, and speed of the proof and of encoding."""
    return extension_figures()
