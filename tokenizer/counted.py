"""Units of the corpus, counted once for whatever is learned from them: the curve, and the extension.

units/KEY.parquet   units of one shard and their counts
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import Artifact, Claim
from configs.errors import UserError
from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.documents import documents, shards_of, sources_in
from corpus.shards import ShardWriter
from corpus.stage import corpus_dir
from corpus.tasks import run_phase
from tokenizer.base import Base
from tokenizer.open import open_tokenizer
from tokenizer.stage import tokenizer_files
from tokenizer.units import count_units, to_batch

KIND, VERSION = "units", 1


@dataclass(frozen=True)
class CountArgument:
    """A shard to count units in."""

    shard: Path
    base: Path
    share: float
    """Share of the documents that are looked at, chosen by id."""


def units_plan(run: Run) -> StagePlan:
    """What is counted, as the run file describes it; how many tokens are added does not matter."""
    settings = run.tokenizer
    config = {
        "base": run.tokenizer_base,
        "languages": list(settings.languages),
        "sample_bytes": settings.sample_bytes,
        "sources": sources_in(run.corpus, settings.languages),
    }
    upstream, raw = {"corpus": corpus_dir(run)}, {"base": tokenizer_files(run)}
    return StagePlan("units", run.run.dir / "units", KIND, VERSION, config, upstream, raw)


def counted_units(run: Run) -> Artifact:
    """The units of a run's corpus; counted here if they are not yet.

    Raises:
        UserError: if the corpus has no text in the languages that are learned from.
    """
    plan, settings = units_plan(run), run.tokenizer
    builder = plan.build()
    if builder.complete is not None:
        return builder.complete
    corpus = Artifact.open(plan.upstream["corpus"])
    names = sources_in(run.corpus, settings.languages)
    kept = corpus.counts["kept"]
    total = sum(kept[name]["bytes"] for name in names if name in kept)
    if not total:
        raise UserError(
            f"tokenizer.languages: the corpus has no text in {', '.join(settings.languages)} to learn tokens from; "
            "set tokenizer.add=0 to keep the base's tokenizer"
        )
    folder, share = Base.of_tokenizer(run).folder_without_weights(), min(1.0, settings.sample_bytes / total)
    shards = [path for name in names for path in shards_of(corpus, "kept", name)]
    arguments = {path.stem: (CountArgument(path, folder, share), path.stat().st_size) for path in shards}
    results = run_phase(builder, "count", count_shard, arguments, settings.workers).values()
    return builder.finish({name: sum(one[name] for one in results) for name in ("documents", "characters")})


def count_shard(claim: Claim, argument: CountArgument) -> dict[str, int]:
    """Count the units of a shard; gives the documents and characters that were looked at."""
    base = open_tokenizer(argument.base)
    seen = {"documents": 0, "characters": 0}

    def sampled() -> Iterator[str]:
        for id_, text in documents([argument.shard]):
            if int(id_[:13], 16) < argument.share * 16**13:
                seen["documents"] += 1
                seen["characters"] += len(text)
                yield text

    with ShardWriter(claim, f"units/{argument.shard.stem}.parquet") as writer:
        writer.add(to_batch(count_units(sampled(), base)))
    return seen


def unit_batches(units: Artifact) -> Iterator[pa.RecordBatch]:
    """Units and their counts; a unit may come once from each shard."""
    for path in units.below("units"):
        batches: list[Any] = pq.read_table(path).to_batches()
        yield from batches
