"""The pack stage: documents to sequences, of every length that a stage of training asks for.

It reads the lengths of the documents and never their tokens: another length is a matter of seconds.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from configs.artifact import Artifact, Builder
from configs.errors import UserError
from configs.schema.run import Run
from corpus.tasks import run_phase
from pretrain.course import Packing, rest_name, whole_name
from pretrain.pack_task import RestArgument, WholeArgument, pack_rest, pack_whole
from pretrain.packed_source import PackedSequences, PackedShard, index_name, packing_digest
from pretrain.sample_plan import Remainder, SamplePlan
from pretrain.stage import changes_of_length, pack_plan, planned_stages, seq_lens
from pretrain.token_shard import TokenShard, shards_of
from pretrain.tokenise import tokenise

_log = logging.getLogger(__name__)


def pack_tokens(run: Run) -> Artifact:
    """Tokenise the corpus and pack it, or do what is missing of either.

    Raises:
        UserError: if an earlier stage is not finished, a mixed source has no text, or the end token does not exist.
    """
    tokens = tokenise(run)
    plan = pack_plan(run)
    builder = plan.build()
    if builder.complete is not None:
        _log.info("%s is complete", plan.dir)
        return builder.complete
    packings = _Packings(builder, tokens, run.corpus.workers)
    packings.add_whole(seq_lens(run))
    for stage, sources in changes_of_length(run).items():
        packings.add_rests(run, stage, sources)
    artifact = builder.finish(packings.counts(run))
    for source, counts in artifact.counts["sources"].items():
        _log.info("%s: %d sequences, padding %.2f %%", source, counts["sequences"], 100 * counts["padding"])
    return artifact


class _Packings:
    """The packings of all sources in the making."""

    def __init__(self, builder: Builder, tokens: Artifact, workers: int) -> None:
        self._builder, self._tokens, self._workers = builder, tokens, workers
        self._made: dict[str, dict[str, dict[str, dict[str, Any]]]] = defaultdict(dict)
        """By source, packing and shard: what the task gave."""

    def add_whole(self, seq_lens: Mapping[str, Sequence[int]]) -> None:
        """Pack whole sources."""
        arguments = {}
        for source, lengths in seq_lens.items():
            for seq_len in lengths:
                for shard in shards_of(self._tokens, source):
                    argument = WholeArgument(shard, whole_name(seq_len), seq_len)
                    arguments[index_name(shard.name, argument.packing)] = (argument, _index_bytes(shard))
        results = run_phase(self._builder, "pack", pack_whole, arguments, self._workers)
        for source, lengths in seq_lens.items():
            for seq_len in lengths:
                self._add(source, whole_name(seq_len), results)

    def add_rests(self, run: Run, stage: int, sources: Sequence[str]) -> None:
        """Pack what is left of an epoch where a stage takes its sources in another length than before."""
        planned = planned_stages(run)
        packings = {source: self._described(source) for source in self._made}
        try:
            before = SamplePlan(run.run.seed, planned[:stage], packings)
        except ValueError as error:
            raise UserError(f"pretrain.stages: {error}") from None
        arguments = {}
        added = []
        packing = rest_name(planned[stage].seq_len, stage)
        for source in sources:
            remainder = before.remainder(source)
            if remainder is not None:
                added.append(source)
                for argument in self._rest_arguments(source, remainder, packing, planned[stage].seq_len):
                    name = index_name(argument.shard.tokens.name, packing)
                    arguments[name] = (argument, _index_bytes(argument.shard.tokens))
        results = run_phase(self._builder, "rest", pack_rest, arguments, self._workers)
        for source in added:
            self._add(source, packing, results)

    def counts(self, run: Run) -> dict[str, Any]:
        """For the manifest: sequences of every shard in every packing, and of each source in its first length."""
        first = {source: whole_name(lengths[0]) for source, lengths in seq_lens(run).items()}
        return {
            "sources": {source: self._counts(source, first[source]) for source in self._made},
            "packings": {
                source: {
                    packing: {shard: one["sequences"] for shard, one in shards.items()}
                    for packing, shards in packings.items()
                }
                for source, packings in self._made.items()
            },
        }

    def _counts(self, source: str, packing: str) -> dict[str, Any]:
        shards = self._made[source][packing].values()
        sequences, positions = (sum(one[name] for one in shards) for name in ("sequences", "positions"))
        padding = 1 - positions / (sequences * int(packing)) if sequences else 0.0
        return {
            **self._tokens.counts["sources"][source],
            "sequences": sequences,
            "positions": positions,
            "padding": padding,
        }

    def _add(self, source: str, packing: str, results: Mapping[str, Any]) -> None:
        names = [shard.name for shard in shards_of(self._tokens, source)]
        self._made[source][packing] = {name: results[index_name(name, packing)] for name in names}

    def _described(self, source: str) -> dict[str, Packing]:
        shards = shards_of(self._tokens, source)
        described = {}
        for packing, made in self._made[source].items():
            sha256 = {name: digest for one in made.values() for name, digest in one["sha256"].items()}
            digest = packing_digest(self._tokens, shards, sha256.__getitem__, packing)
            described[packing] = Packing(packing, sum(one["sequences"] for one in made.values()), digest)
        return described

    def _rest_arguments(self, source: str, remainder: Remainder, packing: str, seq_len: int) -> list[RestArgument]:
        made = self._made[source][remainder.packing.name]
        shards = [
            PackedShard(
                shard,
                self._builder.dir / index_name(shard.name, remainder.packing.name),
                made[shard.name]["sequences"],
            )
            for shard in shards_of(self._tokens, source)
        ]
        starts = PackedSequences(shards).starts
        return [
            RestArgument(shard, int(first), remainder, packing, seq_len)
            for shard, first in zip(shards, starts[:-1], strict=True)
        ]


# Length, offset and bound in Megatron's index.
_INDEX_BYTES = 20


def _index_bytes(shard: TokenShard) -> int:
    return _INDEX_BYTES * shard.documents
