"""The tokenise stage: token shards of every source that training mixes; how long a sequence is does not matter yet."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from pathlib import Path

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.documents import shards_of
from corpus.tasks import run_phase
from pretrain.document_format import DocumentFormat
from pretrain.stage import mixed_sources, tokens_plan
from pretrain.tokenise_task import TokeniseArgument, tokenise_shard

_log = logging.getLogger(__name__)


def tokenise(run: Run) -> Artifact:
    """Tokenise the corpus, or do what is missing of it.

    Raises:
        UserError: if an earlier stage is not finished, a mixed source has no text, or the end token does not exist.
    """
    plan = tokens_plan(run)
    builder = plan.build()
    if builder.complete is not None:
        _log.info("%s is complete", plan.dir)
        return builder.complete
    corpus = Artifact.open(plan.upstream["corpus"])
    folder = plan.upstream["tokenizer"] / "hf"
    form = DocumentFormat.from_folder(folder, run.pretrain.end_of_document)
    shards = {source: _shards(corpus, source) for source in mixed_sources(run)}
    cpus = len(os.sched_getaffinity(0))
    processes = min(run.corpus.workers or cpus, sum(map(len, shards.values())))
    threads = max(1, cpus // processes)
    arguments = {
        shard.stem: (TokeniseArgument(shard, folder, run.pretrain.end_of_document, threads), shard.stat().st_size)
        for found in shards.values()
        for shard in found
    }
    results = run_phase(builder, "tokenise", tokenise_shard, arguments, run.corpus.workers)
    sources: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for source, found in shards.items():
        for shard in found:
            for name, count in results[shard.stem].items():
                sources[source][name] += count
    artifact = builder.finish(
        {"vocabulary": form.tokenizer.size, "end": form.end, "sources": sources, "shards": results}
    )
    _log.info("%d tokens; %s", sum(counts["tokens"] for counts in sources.values()), artifact.dir)
    return artifact


def _shards(corpus: Artifact, source: str) -> list[Path]:
    shards = shards_of(corpus, "kept", source)
    if not shards:
        raise UserError(
            f"pretrain.stages: source {source!r} is mixed, but no document of it was kept; "
            f"see `tsugiki corpus audit` for the reasons, or take it out of the mixture"
        )
    return shards
