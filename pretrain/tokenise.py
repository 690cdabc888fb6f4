"""The tokenise stage: token shards of every source that training mixes; how long a sequence is does not matter yet."""

from __future__ import annotations

import json
import logging
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.artifact import Artifact, Builder
from configs.changes import inputs_file
from configs.errors import UserError
from configs.schema.run import Run
from corpus.documents import shards_of
from corpus.tasks import run_phase
from pretrain.brought_tokens import cut, pieces, read_shard, sizes
from pretrain.document_format import DocumentFormat
from pretrain.own_tokens import suspicion
from pretrain.stage import text_sources, token_sources, tokens_plan
from pretrain.tokenise_task import TokeniseArgument, tokenise_shard
from tokenizer.base import Base

_log = logging.getLogger(__name__)


def tokenise(run: Run) -> Artifact:
    """Tokenise the corpus, or do what is missing of it.

    Raises:
        UserError: if an earlier stage is not finished, a mixed source has no text, the end token does not
            exist, or files of tokens cannot be used.
    """
    plan = tokens_plan(run)
    builder = plan.build()
    if builder.complete is not None:
        _log.info("%s is complete", plan.dir)
        return builder.complete
    folder = plan.upstream["tokenizer"] / "hf"
    form = DocumentFormat.from_folder(folder, run.pretrain.end_of_document)
    # First, so that files that cannot be used are refused before hours of work.
    brought = _read_brought(run, builder, folder, form)
    results = {**_tokenise_texts(run, builder, Artifact.open(plan.upstream["corpus"]), folder), **brought}
    sources: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for shard, result in results.items():
        for name in ("documents", "tokens"):
            sources[shard.rsplit("-", 1)[0]][name] += result[name]
    counts = {"vocabulary": form.tokenizer.size, "end": form.end, "sources": sources, "shards": results}
    if brought:
        counts["brought"] = {
            source: {"prefix": prefix, "bytes": sizes(Path(prefix))} for source, prefix in token_sources(run).items()
        }
    artifact = builder.finish(counts)
    _log.info("%d tokens; %s", sum(one["tokens"] for one in sources.values()), artifact.dir)
    return artifact


def _read_brought(run: Run, builder: Builder, folder: Path, form: DocumentFormat) -> dict[str, Any]:
    prefixes = {source: Path(prefix) for source, prefix in token_sources(run).items()}
    makers = [folder, Base.of_tokenizer(run).folder_without_weights()] if prefixes else []
    shards = {
        source: cut(source, prefix, form.tokenizer.size, form.end, tokenizers=makers)
        for source, prefix in prefixes.items()
    }
    results: dict[str, Any] = {}
    for source, of_source in shards.items():
        read = run_phase(builder, "read", read_shard, of_source, run.corpus.workers)
        made = list(read.values())
        _list_inputs(builder, source, prefixes[source], made)
        _warn(source, made)
        _refuse_foreign(run, source, folder, made)
        results |= read
    return results


def _tokenise_texts(run: Run, builder: Builder, corpus: Artifact, folder: Path) -> dict[str, Any]:
    shards = [shard for source in text_sources(run) for shard in _shards(corpus, source)]
    cpus = len(os.sched_getaffinity(0))
    processes = max(1, min(run.corpus.workers or cpus, len(shards)))
    threads = max(1, cpus // processes)
    arguments = {
        shard.stem: (TokeniseArgument(shard, folder, run.pretrain.end_of_document, threads), shard.stat().st_size)
        for shard in shards
    }
    return run_phase(builder, "tokenise", tokenise_shard, arguments, run.corpus.workers)


def _list_inputs(builder: Builder, source: str, prefix: Path, shards: Sequence[Mapping[str, Any]]) -> None:
    with builder.file(inputs_file(source)) as out:
        for piece in pieces(prefix, shards):
            out.write(json.dumps(piece, sort_keys=True).encode() + b"\n")


def _warn(source: str, shards: Sequence[Mapping[str, int]]) -> None:
    within = sum(shard["ends_within"] for shard in shards)
    if within:
        _log.warning(
            "pretrain.token_sources.%s: %d end tokens stand within documents, where attention crosses them; "
            "if each ends a document, write the index with one document for each",
            source,
            within,
        )


def _refuse_foreign(run: Run, source: str, tokenizer: Path, shards: Sequence[Mapping[str, int]]) -> None:
    why = suspicion(shards)
    if why is None:
        return
    where = f"pretrain.token_sources.{source}: {token_sources(run)[source]}.bin"
    if run.pretrain.foreign_tokens == "accept":
        _log.warning("%s: %s; accepted, because pretrain.foreign_tokens says so", where, why)
        return
    raise UserError(
        f"{where}: {why}, so another tokenizer seems to have made them; tokenise the documents anew with {tokenizer}, "
        "or set pretrain.foreign_tokens to accept if these tokens were cut in another way on purpose"
    )


def _shards(corpus: Artifact, source: str) -> list[Path]:
    shards = shards_of(corpus, "kept", source)
    if not shards:
        raise UserError(
            f"pretrain.stages: source {source!r} is mixed, but no document of it was kept; "
            f"see `tsugiki corpus audit` for the reasons, or take it out of the mixture"
        )
    return shards
