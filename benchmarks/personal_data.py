"""How much personal data is found, kind by kind, and how fast it is looked for on one core.

The figures are those of the held-back sentences, which nothing was tuned on, beside those of the others. Speed is in
CPU time, which other work on the machine changes little.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import zstandard

from benchmarks.figures import Figures, figure
from benchmarks.personal_text.labelled import labelled
from benchmarks.personal_text.score import LOOSE, scores
from benchmarks.text import japanese
from configs.schema.mask import Mask
from corpus.batch import Batch, BatchBuilder, utf8_of
from corpus.kernels.numbers import find_numbers
from corpus.mask.step import mask
from corpus.tally import Tally

LEAST_RECALL, LEAST_PRECISION = 0.98, 0.97
LEAST_OF_LOOSE = 0.85
"""Recall and precision of names and addresses."""
_MEGABYTES, _MEGABYTES_OF_NAMES = 20, 1
_ROUNDS = 5


def measure() -> Figures:
    """Recall and precision of every kind, megabytes of text per second."""
    held_back, tuned = scores(labelled("held_back")), scores(labelled("tuned"))
    figures: Figures = {}
    for kind in sorted(held_back):
        recall, precision = least(kind)
        here, there = held_back[kind], tuned[kind]
        figures[f"personal_data/recall/{kind}"] = figure(here.recall, "share", least=recall, tuned=there.recall)
        figures[f"personal_data/precision/{kind}"] = figure(
            here.precision, "share", least=precision, tuned=there.precision
        )
    spans = sum(score.labelled for part in (held_back, tuned) for score in part.values())
    figures["personal_data/labelled_spans"] = figure(
        spans, "spans", held_back=sum(s.labelled for s in held_back.values())
    )
    return {**figures, **_speeds()}


def least(kind: str) -> tuple[float, float]:
    """Recall and precision that a kind must have."""
    return (LEAST_OF_LOOSE, LEAST_OF_LOOSE) if kind in LOOSE else (LEAST_RECALL, LEAST_PRECISION)


def _speeds() -> Figures:
    texts = japanese(_MEGABYTES)
    compressed = zstandard.compress("\n".join(json.dumps({"text": text}) for text in texts).encode())
    batches = _batches(texts)
    few = _batches(japanese(_MEGABYTES_OF_NAMES))
    structured, names = Mask(), Mask(name="mask")
    limits = {
        "decompress_and_parse": _rate(
            batches, lambda: [json.loads(line) for line in zstandard.decompress(compressed).splitlines()]
        ),
        "one_pass_over_the_bytes": _rate(
            batches, lambda: [find_numbers(*utf8_of(one.column("text"))) for one in batches]
        ),
    }
    return {
        "personal_data/mask": figure(_rate(batches, lambda: _mask(batches, structured)), "MB/s", **limits),
        "personal_data/mask_names_too": figure(_rate(few, lambda: _mask(few, names)), "MB/s", **limits),
    }


def _batches(texts: list[str]) -> list[Batch]:
    builder = BatchBuilder("bench", "text.jsonl", "", "ja")
    batches = []
    for position, text in enumerate(texts):
        builder.add(text, position, "utf-8")
        if builder.full or position == len(texts) - 1:
            batch = builder.take()
            assert batch is not None
            batches.append(batch)
    return batches


def _mask(batches: list[Batch], settings: Mask) -> list[pa.RecordBatch]:
    return [mask(batch, settings, Tally())[0] for batch in batches]


def _rate(batches: list[Batch], work: Callable[[], object]) -> float:
    megabytes = sum(int(pc.sum(pc.binary_length(one.column("text"))).as_py()) for one in batches) / 1e6
    work()
    seconds = []
    for _ in range(_ROUNDS):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return megabytes / min(seconds)
