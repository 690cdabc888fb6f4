"""Held-out bits per character: comparable before and after the vocabulary grows, which token loss is not.

Every character of a held-out document is predicted. What stands before the first is the token that begins a
document, or, where the base has none, the one that ends the document before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.documents import documents, shards_of
from pretrain.document_format import DocumentFormat
from pretrain.engines.base import Engine
from pretrain.loader import Row, to_micro_batch
from pretrain.measured import Measured
from pretrain.micro_batch import MicroBatch
from pretrain.packed_source import Stretch
from pretrain.packing import pack


@dataclass(frozen=True)
class HeldOut:
    """Held-out texts of the sources, as micro-batches of one tokenizer."""

    sources: tuple[str, ...]
    micro_batches: tuple[MicroBatch, ...]
    characters: Mapping[str, int]
    """Unicode code points of each source's texts."""
    bytes: Mapping[str, int]


def load_held_out(run: Run, corpus: Artifact, form: DocumentFormat) -> HeldOut:
    """Tokenise the first held-out documents of every source, as many as the run file allows."""
    texts: dict[str, list[str]] = {}
    for source in run.corpus.sources:
        found = sorted(documents(shards_of(corpus, "held_out", source)))
        texts[source] = [text for _, text in found[: run.pretrain.evaluate.max_documents]]
    rows: list[Row] = []
    for number, some in enumerate(texts.values()):
        rows += _rows(some, number, form, run.pretrain.seq_len)
    size = run.pretrain.micro_batch
    return HeldOut(
        tuple(texts),
        tuple(to_micro_batch(rows[at : at + size], run.pretrain.seq_len, form.end) for at in range(0, len(rows), size)),
        {source: sum(len(text) for text in some) for source, some in texts.items()},
        {source: sum(len(text.encode()) for text in some) for source, some in texts.items()},
    )


def _rows(texts: Sequence[str], source: int, form: DocumentFormat, seq_len: int) -> list[Row]:
    before = form.begin[-1] if form.begin else form.end
    encoded = [np.array([before, *ids[len(form.begin) : -1]], np.int64) for ids in form.encode(texts)]
    first_S1, pieces = pack(np.array([len(ids) for ids in encoded], np.int64), seq_len)
    stretches = [
        Stretch(encoded[piece["document"]][piece["start"] : piece["start"] + piece["length"] + 1]) for piece in pieces
    ]
    return [(stretches[start:end], source) for start, end in itertools.pairwise(first_S1)]


def refuse_unmeasured_budgets(run: Run, held_out: HeldOut) -> None:
    """Raise a UserError if there is no held-out text to check a budget of forgetting by."""
    measured = {source for source, characters in held_out.characters.items() if characters}
    measured |= {run.corpus.sources[source].language for source in measured}
    if missing := [name for name in run.pretrain.forgetting.budgets if name not in measured]:
        raise UserError(
            f"pretrain.forgetting.budgets: there is no held-out text of {', '.join(missing)}; "
            "raise corpus.held_out.share, or take the budget away"
        )


_PARTS = 10
"""So often is told how far a measurement is."""


def measure(
    engine: Engine, held_out: HeldOut, tell: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Measured]:
    """Measure every source that has held-out text; the same on every rank.

    Args:
        tell: is given how many micro-batches of this rank are measured, and how many there are.
    """
    rank, ranks = engine.data_rank
    share = _share(held_out.micro_batches, rank, ranks)
    sums: dict[int, tuple[float, int]] = {}
    at_once = max(1, -(-len(share) // _PARTS))
    for at in range(0, len(share), at_once):
        for number, (nll, tokens) in engine.eval_sums(share[at : at + at_once]).items():
            before = sums.get(number, (0.0, 0))
            sums[number] = (before[0] + nll, before[1] + tokens)
        tell(min(at + at_once, len(share)), len(share))
    return {
        source: Measured(*sums[number], held_out.characters[source], held_out.bytes[source])
        for number, source in enumerate(held_out.sources)
        if number in sums and sums[number][1]
    }


def _share(batches: Sequence[MicroBatch], rank: int, ranks: int) -> list[MicroBatch]:
    """Every rank's share, equally many: sharded engines wait for each other in every forward pass."""
    share = [batches[at] for at in range(rank, len(batches), ranks)]
    missing = -(-len(batches) // ranks) - len(share)
    return share + [batches[0].without_labels()] * missing
