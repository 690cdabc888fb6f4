"""The pack stage: token shards of every source that training mixes."""

from __future__ import annotations

import logging
from collections import defaultdict

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.documents import shards_of
from corpus.tasks import run_phase
from pretrain.document_format import DocumentFormat
from pretrain.pack_task import PackArgument, pack_shard
from pretrain.stage import mixed_sources, pack_plan

_log = logging.getLogger(__name__)


def pack_tokens(run: Run) -> Artifact:
    """Tokenise and pack the corpus, or do what is missing of it.

    Raises:
        UserError: if an earlier stage is not finished, a mixed source has no text, or the end token does not exist.
    """
    plan = pack_plan(run)
    builder = plan.build()
    if builder.complete is not None:
        _log.info("%s is complete", plan.dir)
        return builder.complete
    corpus = Artifact.open(plan.upstream["corpus"])
    folder = plan.upstream["tokenizer"] / "hf"
    form = DocumentFormat.from_folder(folder, run.pretrain.end_of_document)
    arguments = {}
    source_of = {}
    for source in mixed_sources(run):
        shards = shards_of(corpus, "kept", source)
        if not shards:
            raise UserError(
                f"pretrain.stages: source {source!r} is mixed, but no document of it was kept; "
                f"see `tsugiki corpus audit` for the reasons, or take it out of the mixture"
            )
        for shard in shards:
            argument = PackArgument(shard, folder, run.pretrain.end_of_document, run.pretrain.seq_len)
            arguments[shard.stem] = (argument, shard.stat().st_size)
            source_of[shard.stem] = source
    results = run_phase(builder, "pack", pack_shard, arguments, run.corpus.workers)
    totals: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for key, counts in results.items():
        for name, count in counts.items():
            totals[source_of[key]][name] += count
    counts = {
        "seq_len": run.pretrain.seq_len,
        "vocabulary": form.tokenizer.size,
        "end": form.end,
        "sources": {source: dict(found) for source, found in totals.items()},
    }
    artifact = builder.finish(counts)
    tokens = sum(found["tokens"] for found in totals.values())
    _log.info("%d tokens; %s", tokens, artifact.dir)
    return artifact
