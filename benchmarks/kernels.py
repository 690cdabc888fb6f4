"""Speed of the corpus kernels, one core, beside a copy of the same bytes."""

from __future__ import annotations

import pyarrow as pa

from benchmarks.figures import Figures, best_seconds, figure
from benchmarks.text import japanese
from corpus.batch import utf8_of
from corpus.kernels.classes import count_classes
from corpus.kernels.lines import hash_lines
from corpus.kernels.shingles import signatures


def measure() -> Figures:
    """Megabytes of Japanese text per second."""
    offsets_N1, utf8 = utf8_of(pa.array(japanese(20), type=pa.large_string()))
    megabytes = utf8.size / 1e6
    copy = megabytes / best_seconds(utf8.copy)
    work = {
        "kernels/character_classes": lambda: count_classes(offsets_N1, utf8),
        "kernels/line_hashes": lambda: hash_lines(offsets_N1, utf8),
        "kernels/signatures_256": lambda: signatures(offsets_N1, utf8, 256),
    }
    return {name: figure(megabytes / best_seconds(run), "MB/s", memory_copy=copy) for name, run in work.items()}
