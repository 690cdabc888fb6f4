"""From a document's id to the steps it was trained in, so that a request to delete it can be answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.find import KEPT, Found, find_documents
from corpus.stage import corpus_dir
from pretrain.batching import step_of
from pretrain.order import Order
from pretrain.packed_source import PackedSequences, PackedShard
from pretrain.trained_steps import State, TrainedSteps


@dataclass(frozen=True)
class Use:
    """A part of a document in one sequence of one step."""

    stage: str
    step: int
    """From 1, as in metrics.jsonl and in the names of checkpoints."""
    state: State
    """A skipped step changed no weight; an undone one did, and the run went back to its state from before."""
    sample: int
    """Number of the sequence in the order of the run, from 0."""
    epoch: int
    packing: str
    sequence: int
    """Number of the sequence within the shard's packing, from 0."""
    offset: int
    """Where in the sequence the part begins, in tokens."""
    first_token: int
    """Of the document, where the part begins."""
    tokens: int
    """Tokens that the model reads; the one after them is the last that it learns to predict."""


@dataclass(frozen=True)
class Traced:
    """What became of a document."""

    document: Found
    shard: str | None = None
    """Token shard, if a stage mixes the source."""
    tokens: int = 0
    """Of the whole document, its end included."""
    uses: list[Use] = field(default_factory=list)
    """In the order of the steps."""
    checkpoints: list[str] = field(default_factory=list)
    """Those at hand that have learned from it."""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        found = asdict(self.document)
        corpus = {"shard": found.pop("shard"), "row": found.pop("row")}
        rest = {"shard": self.shard, "tokens": self.tokens, "checkpoints": self.checkpoints}
        return {**found, "corpus": corpus, **rest, "uses": [asdict(use) for use in self.uses]}


def trace(run: Run, ids: Sequence[str]) -> list[Traced]:
    """Where the documents were trained, and where they will be; what a duplicate was dropped for is traced, too.

    Raises:
        UserError: if the corpus has no document of such an id, an earlier stage is not finished, or the run was
            trained in another order than the run file gives now.
    """
    corpus = Artifact.open(corpus_dir(run))
    documents = _with_survivors(corpus, ids)
    order = Order.open(run)
    trained = TrainedSteps.of(run)
    trained.refuse_other_beginning(order)
    return [_traced(run, order, trained, found) for found in documents]


def _with_survivors(corpus: Artifact, ids: Sequence[str]) -> list[Found]:
    documents = find_documents(corpus, ids)
    unknown = [one for one in ids if one not in documents]
    if unknown:
        raise UserError(
            f"{corpus.dir}: no document has the id {', '.join(map(repr, unknown))}; ids are 24 hex digits, the column "
            "'id' of kept, held_out and dropped; a file that was put aside has none (see `tsugiki corpus audit`)"
        )
    named = list(dict.fromkeys(ids))
    survivors = [found.survivor for found in documents.values() if found.survivor not in (None, *named)]
    documents |= find_documents(corpus, [one for one in survivors if one is not None])
    return [documents[one] for one in (*named, *sorted(set(documents) - set(named)))]


def _traced(run: Run, order: Order, trained: TrainedSteps, found: Found) -> Traced:
    if found.state != KEPT or found.source not in order.sources:
        return Traced(found)
    uses: list[Use] = []
    tokens = 0
    for packing, sequences in order.sources[found.source].items():
        number = next(k for k, shard in enumerate(sequences.shards) if shard.tokens.name == found.shard)
        tokens = int(sequences.shards[number].tokens.lengths()[found.row])
        uses += _uses(run, order, trained, found, packing, sequences, number)
    uses.sort(key=lambda use: (use.sample, use.offset))
    checkpoints = trained.checkpoints_from({use.step: use.state for use in uses})
    return Traced(found, found.shard, tokens, uses, checkpoints)


def _uses(
    run: Run,
    order: Order,
    trained: TrainedSteps,
    found: Found,
    packing: str,
    sequences: PackedSequences,
    shard: int,
) -> Iterator[Use]:
    stages = list(run.pretrain.stages)
    for sequence, offset, first_token, tokens in _parts(sequences.shards[shard], found.row):
        in_source = int(sequences.starts[shard]) + sequence
        for sample in order.plan.places(found.source, packing, in_source):
            stage, step = step_of(order.batchings, sample)
            trained.refuse_other_order(order, step + 1, sample)
            yield Use(
                stage=stages[stage],
                step=step + 1,
                state=trained.state(step + 1),
                sample=sample,
                epoch=order.plan.at(sample).epoch,
                packing=packing,
                sequence=sequence,
                offset=offset,
                first_token=first_token,
                tokens=tokens,
            )


def _parts(shard: PackedShard, document: int) -> Iterator[tuple[int, int, int, int]]:
    """Sequence, offset in it, first token and tokens of each part of a document."""
    first_S1, pieces = shard.load_index()
    for at in np.flatnonzero(pieces["document"] == document).tolist():
        sequence = int(np.searchsorted(first_S1, at, side="right")) - 1
        offset = int(pieces["length"][first_S1[sequence] : at].sum())
        yield sequence, offset, int(pieces["start"][at]), int(pieces["length"][at])


def lines(traced: Sequence[Traced]) -> Iterator[str]:
    """The same for people."""
    for one in traced:
        found = one.document
        yield f"{found.id}  {found.source}: {found.path} at {found.position}"
        yield f"  {_standing(one)}"
        for use in one.uses:
            end = use.first_token + use.tokens
            yield (
                f"  step {use.step:>7}  {use.stage}  {use.state}  epoch {use.epoch}  sample {use.sample}  "
                f"sequence {use.sequence} of {one.shard}.{use.packing} at {use.offset}  "
                f"tokens {use.first_token}-{end} of {one.tokens}"
            )
        if one.checkpoints:
            yield f"  learned by the checkpoints at hand {', '.join(one.checkpoints)}"


def _standing(traced: Traced) -> str:
    found = traced.document
    if found.state == "held_out":
        return "held out: measured, never trained"
    if found.state != KEPT:
        like = f", like {found.survivor}, which is traced below" if found.survivor else ""
        return f"dropped as {found.state}{like}: never trained"
    if traced.shard is None:
        return "kept, but no stage mixes its source: never trained"
    steps = sum(use.state == "trained" for use in traced.uses)
    to_come = sum(use.state == "to come" for use in traced.uses)
    undone = sum(use.state == "undone" for use in traced.uses)
    told = f", {undone} undone by a rollback" if undone else ""
    return f"kept: document {found.row} of {traced.shard}; its parts: {steps} trained{told}, {to_come} to come"
