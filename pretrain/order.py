"""The order of a run over its packed tokens: which sequence is trained when, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.batching import Batching, batchings
from pretrain.packed_source import PackedSequences, described, open_packings
from pretrain.sample_plan import SamplePlan
from pretrain.stage import mixed_sources, planned_stages, train_plan
from pretrain.token_shard import refuse_changed


@dataclass(frozen=True)
class Order:
    """A run's samples, and how they become optimizer steps."""

    plan: SamplePlan
    sources: Mapping[str, Mapping[str, PackedSequences]]
    """By source and packing."""
    batchings: tuple[Batching, ...]
    """Of the stages."""
    end: int
    """Token that ends a document."""

    @classmethod
    def open(cls, run: Run) -> Order:
        """Open what the stages before training left; no token is read.

        Raises:
            UserError: if an earlier stage is not finished or was made anew since, a source of the mixture has no
                sequences or too small a weight, or the token shards are damaged.
        """
        tokens, packed = _open(run)
        names = mixed_sources(run)
        try:
            packings = {name: described(tokens, packed, name) for name in names}
            plan = SamplePlan(run.run.seed, planned_stages(run), packings)
        except ValueError as error:
            raise UserError(f"pretrain.stages: {error}") from None
        sources = {name: open_packings(tokens, packed, name) for name in names}
        return cls(plan, sources, tuple(batchings(run.pretrain)), int(tokens.counts["end"]))


def _open(run: Run) -> tuple[Artifact, Artifact]:
    """The tokens and their packed index, each made of what stands before it now."""
    upstream = train_plan(run).upstream
    tokenizer, tokens, packed = (Artifact.open(upstream[name]) for name in ("tokenizer", "tokens", "packed"))
    for made, name, source in ((tokens, "tokenizer", tokenizer), (packed, "tokens", tokens)):
        if made.manifest["inputs"][name]["manifest_sha256"] != source.digest:
            raise UserError(
                f"{made.dir}: was made of another {name} than {source.dir} holds now; "
                f"remove {made.dir} and run the stage 'pack' again"
            )
    refuse_changed(tokens)
    return tokens, packed
