"""Units of the corpus, counted once for whatever is learned from them: the curve, and the extension.

units.parquet   units and their counts, in the order of units; the rarest are left out where there are too many

With terms, their tokens (terms.py) stand in units as the base's own do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.artifact import Artifact, Builder, Claim
from configs.errors import UserError
from configs.progress import Progress
from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.batch import pieces
from corpus.documents import shards_of, sources_in
from corpus.stage import corpus_dir
from corpus.tasks import run_phase
from tokenizer.base import Base
from tokenizer.counted_terms import count_in_shards, listed_terms, units_of_runs
from tokenizer.extendable import Extendable, Extension
from tokenizer.open import open_tokenizer
from tokenizer.phrases import Between
from tokenizer.sampled import sampled_texts
from tokenizer.sorted_runs import at_least, floor_for, in_groups, merged, read_run, spilled_runs
from tokenizer.stage import in_house_sources, term_files, tokenizer_files
from tokenizer.term_tokens import with_terms
from tokenizer.terms import Counted, Terms, chosen_terms
from tokenizer.units import UNITS

KIND, VERSION = "units", 1

_ROW_GROUP = 1 << 16
_PIECE_BYTES = 1_000_000


@dataclass(frozen=True)
class CountArgument:
    """A shard to count units in."""

    shard: Path
    base: Path
    share: float
    """Share of the documents that are looked at, chosen by id."""
    name: str
    """Of the runs."""
    terms: Extension
    """Tokens that the base has beside its own."""
    boundaries: Between = "morphemes"


def units_plan(run: Run) -> StagePlan:
    """What is counted, as the run file describes it; how many tokens are added does not matter."""
    settings = run.tokenizer
    config = {
        "base": run.tokenizer_base,
        "languages": list(settings.languages),
        "sample_bytes": settings.sample_bytes,
        "sources": sources_in(run.corpus, settings.languages),
        **settings.of_terms,
        **settings.of_boundaries,
    }
    if settings.found_words.most:
        config["in_house"] = in_house_sources(run)
    upstream, raw = {"corpus": corpus_dir(run)}, {"base": tokenizer_files(run), **term_files(settings)}
    # Beside one another, so that a run can have the curves of both.
    name = "units" if settings.boundaries == "morphemes" else f"units-{settings.boundaries}"
    return StagePlan("units", run.run.dir / name, KIND, VERSION, config, upstream, raw)


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
    base = open_tokenizer(folder)
    terms = _terms(builder, run, base, shards, share) if settings.asks_for_terms else None
    extension = Extension.nothing(base) if terms is None else terms.extension
    arguments = {
        path.stem: (
            CountArgument(path, folder, share, path.stem, extension, settings.boundaries),
            path.stat().st_size,
        )
        for path in shards
    }
    results = run_phase(builder, "count", count_shard, arguments, settings.workers).values()
    with Progress("tokenizer: merge the counts", 2, "passes") as progress:
        runs = [builder.dir / name for result in results for name in result["runs"]]
        floor = floor_for(_merged(runs))
        progress.advance(1)
        _write(builder, at_least(floor.least, _merged(runs)))
        progress.advance(1)
    seen = {name: sum(one[name] for one in results) for name in ("documents", "characters")}
    counts = {**seen, "units": floor.units, "least_count": floor.least}
    if terms is not None:
        terms.write(builder)
        counts["terms"] = terms.counts()
    return builder.finish(counts)


def _terms(builder: Builder, run: Run, base: Extendable, shards: Sequence[Path], share: float) -> Terms:
    settings = run.tokenizer
    listed = listed_terms(builder, settings)

    def count(strings: list[str]) -> Counted:
        return count_in_shards(builder, list(shards), share, strings, settings.workers)

    def in_house() -> Iterator[pa.RecordBatch]:
        folder, nothing = Base.of_tokenizer(run).folder_without_weights(), Extension.nothing(base)
        arguments = {
            path.stem: (
                CountArgument(path, folder, share, f"found-{path.stem}", nothing, "compounds"),
                path.stat().st_size,
            )
            for path in shards
            if path.stem.rsplit("-", 1)[0] in in_house_sources(run)
        }
        yield from units_of_runs(builder, run_phase(builder, "find", count_shard, arguments, settings.workers))

    return chosen_terms(base, settings, listed, count, in_house())


def count_shard(claim: Claim, argument: CountArgument) -> dict[str, Any]:
    """Count the units of a shard into sorted runs; gives their names, and what was looked at."""
    seen = {"documents": 0, "characters": 0}

    def sampled() -> Iterator[pa.LargeStringArray]:
        for text in sampled_texts(argument.shard, argument.share):
            seen["documents"] += len(text)
            seen["characters"] += pc.sum(pc.utf8_length(text)).as_py() or 0
            yield from pieces(text, _PIECE_BYTES)

    base = with_terms(open_tokenizer(argument.base), argument.terms)
    runs = spilled_runs(claim, argument.name, base, sampled(), argument.boundaries)
    return {**seen, "runs": runs}


def unit_batches(units: Artifact) -> Iterator[pa.RecordBatch]:
    """Units and their counts, each unit once."""
    return read_run(units.path("units.parquet"))


def _merged(runs: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    return merged([read_run(path) for path in runs])


def _write(builder: Builder, batches: Iterable[pa.RecordBatch]) -> None:
    """Write units in row groups of equal size, however they come."""
    with builder.file("units.parquet") as out, pq.ParquetWriter(out, UNITS, compression="zstd") as writer:
        for table in in_groups(batches, _ROW_GROUP):
            writer.write_table(table, row_group_size=_ROW_GROUP)
