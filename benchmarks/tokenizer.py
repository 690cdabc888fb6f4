"""Extending a tokenizer: what it gains on text that nothing was learned from, and what it costs."""

from __future__ import annotations

from benchmarks.extension import extension_figures
from benchmarks.figures import Figures
from benchmarks.large_extension import large_extension_figures
from benchmarks.learning import learning_figures

_GIGABYTES = 0.01


def measure(gigabytes: float = _GIGABYTES) -> Figures:
    """Characters per token of base and extension, and speed of learning, of the proof and of encoding.

    Args:
        gigabytes: of the text that the command line learns from; about twice as much is needed on the disk.
    """
    return {**extension_figures(), **learning_figures(), **large_extension_figures(gigabytes)}
