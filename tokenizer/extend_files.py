"""Extending the tokenizer of a base by some files, without a run file.

What is in the directory, written.py says. Every document is learned from but those that are held out, by
their ids, to measure on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import TASKS, Artifact, Builder, Claim, build
from configs.errors import UserError
from configs.raw_input import total_bytes
from configs.schema.corpus import Source
from configs.schema.tokenizer import Tokenizer
from corpus.cut import Shard
from corpus.shards import PASSING, ShardWriter
from corpus.tally import Tally
from corpus.tasks import run_phase
from tokenizer.base import Base
from tokenizer.base_shape import BaseShape
from tokenizer.counted_terms import listed_terms, note_term_files, summed, units_of_runs
from tokenizer.extendable import Extendable, Extension
from tokenizer.gain import Known, points
from tokenizer.learn_beside_terms import (
    at_least_terms,
    extend_with_terms,
    frequent_texts,
    nothing_learned,
    refuse_nothing_learned,
)
from tokenizer.named_texts import documents_of, named_shards
from tokenizer.open import open_tokenizer
from tokenizer.phrases import Between
from tokenizer.recommend import Recommendation, recommend
from tokenizer.sampled import is_sampled
from tokenizer.sorted_runs import Floor, at_least, floor_for, spilled_runs
from tokenizer.stage import only_tokenizer_files, term_files
from tokenizer.term_counts import TermCounter
from tokenizer.term_tokens import with_terms
from tokenizer.terms import Counted, Terms, chosen_terms
from tokenizer.written import Made, NewRows, write_extension

KIND, VERSION = "tokenizer_of_files", 1
Units = Callable[[], Iterator[pa.RecordBatch]]
Arguments = dict[str, tuple["CountFilesArgument", int]]

# One document in so many is held out; of those, so many of each shard are measured on.
_HELD_OUT, _MEASURED = 20, 200


@dataclass(frozen=True)
class CountFilesArgument:
    """A shard of files, how they are read, the base, and the share of documents that are looked at."""

    shard: Shard
    source: Source
    base: Path
    share: float
    terms: Extension
    """Tokens that the base has beside its own."""
    name: str
    """Of the runs, and of the documents to measure on."""
    strings: tuple[str, ...] = ()
    """To count instead of units."""
    boundaries: Between = "morphemes"


@dataclass(frozen=True)
class LearnedFrom:
    """What was counted, and texts to measure on."""

    units: Units
    floor: Floor
    """Of the counts of these."""
    terms: Terms | None
    characters: int
    held_out: list[str]

    @property
    def counts(self) -> dict[str, int]:
        """For the manifest, as that of a run's units has them."""
        return {"characters": self.characters, "units": self.floor.units, "least_count": self.floor.least}


def extend_by_files(
    base: str, paths: Sequence[str], out: Path, settings: Tokenizer, workers: int, *, text_key: str = "text"
) -> Artifact:
    """Learn from the documents of some files or folders and write the extended tokenizer.

    Args:
        base: folder or hub name.
        out: the directory that is made, as the artifact protocol says; started again it goes on.
    Raises:
        UserError: if a path does not exist, the directory holds other work, there is no text, the base cannot be
            extended, or an invariant does not hold.
    """
    named = Base("--base", base, None, out, False)
    shards, sources, raw = named_shards(paths, settings.languages[0], text_key)
    files = only_tokenizer_files(named.input)
    folder = named.folder_without_weights()
    tokenizer = open_tokenizer(folder)
    config = {**settings.digested(), "base": base, "text_key": text_key}
    builder = build(
        out, kind=KIND, version=VERSION, config=config, inputs={**raw, "base": files, **term_files(settings)}
    )
    if builder.complete is not None:
        return builder.complete
    size = sum(total_bytes(some) for some in raw.values())
    share = min(1.0, settings.sample_bytes / max(1, size))
    nothing = Extension.nothing(tokenizer)
    arguments = {
        key: (CountFilesArgument(shard, sources[shard.pieces[0].source], folder, share, nothing, key), shard.bytes)
        for key, shard in shards.items()
    }
    terms = _terms(builder, settings, tokenizer, arguments, workers) if settings.asks_for_terms else None
    taken = nothing if terms is None else terms.extension
    arguments = _changed(arguments, lambda one: replace(one, terms=taken, boundaries=settings.boundaries))
    results = run_phase(builder, "count", count_files, arguments, workers)
    tally = Tally()
    for result in results.values():
        tally.merge(Tally.from_json(result["tally"]))
    if not tally.counts["characters"]:
        reasons = ", ".join(sorted({one.reason for one in tally.quarantine})) or "no file has a document"
        raise UserError(f"--text: there is no text in {', '.join(paths)} ({reasons})")
    floor = floor_for(units_of_runs(builder, results))
    texts = _held_out(builder, shards)
    counted = LearnedFrom(
        lambda: at_least(floor.least, units_of_runs(builder, results)), floor, terms, tally.counts["characters"], texts
    )
    made = _made(settings, folder, tokenizer, counted)
    made.refuse_broken(texts, counted.units())
    note_term_files(builder, settings)
    rows = NewRows(settings.init, 0, counted.units)
    return write_extension(builder, made, rows, files, {settings.languages[0]: texts}, {"learned_from": counted.counts})


def _changed(arguments: Arguments, change: Callable[[CountFilesArgument], CountFilesArgument]) -> Arguments:
    return {key: (change(argument), size) for key, (argument, size) in arguments.items()}


def _terms(builder: Builder, settings: Tokenizer, base: Extendable, arguments: Arguments, workers: int) -> Terms:
    """Of files that are named by hand all are in-house."""

    def count(strings: list[str]) -> Counted:
        counting = _changed(arguments, lambda one: replace(one, strings=tuple(strings)))
        return summed(run_phase(builder, "terms", count_terms_of_files, counting, workers), len(strings))

    def in_house() -> Iterator[pa.RecordBatch]:
        finding = _changed(arguments, lambda one: replace(one, name=f"found-{one.name}", boundaries="compounds"))
        yield from units_of_runs(builder, run_phase(builder, "find", count_files, finding, workers))

    return chosen_terms(base, settings, listed_terms(builder, settings), count, in_house())


def count_terms_of_files(_: Claim, argument: CountFilesArgument) -> dict[str, Any]:
    """How often each string stands in what is learned from of a shard, and its characters."""
    tally, counter = Tally(), TermCounter(argument.strings)
    for text in _learned_from(argument, tally, [], []):
        counter.add(text.to_pylist())
    return {"counts": counter.counts, "characters": tally.counts["characters"]}


def count_files(claim: Claim, argument: CountFilesArgument) -> dict[str, Any]:
    """Count the units of a shard, and keep some documents to measure on; gives the tally."""
    tally, base = Tally(), with_terms(open_tokenizer(argument.base), argument.terms)
    held_out: list[str] = []
    others: list[str] = []
    runs = spilled_runs(
        claim, argument.name, base, _learned_from(argument, tally, held_out, others), argument.boundaries
    )
    with ShardWriter(claim, f"{TASKS}/held_out/{argument.name}.parquet", PASSING) as writer:
        learned = pa.array([False] * len(held_out) + [True] * len(others))
        writer.add(pa.table({"text": pa.array([*held_out, *others], pa.large_string()), "learned": learned}))
    return {"tally": tally.to_json(), "runs": runs}


def _learned_from(
    argument: CountFilesArgument, tally: Tally, held_out: list[str], others: list[str]
) -> Iterator[pa.LargeStringArray]:
    """The texts that are learned from, one at a time; the lists are given those to measure on."""
    for id_, text in documents_of(argument.shard, argument.source, tally):
        if int(id_[:13], 16) % _HELD_OUT == 0 and len(held_out) < _MEASURED:
            held_out.append(text)
        elif is_sampled(id_, argument.share):
            tally.add("characters", len(text))
            if len(others) < _MEASURED:
                others.append(text)
            yield pa.array([text], pa.large_string())


def _made(settings: Tokenizer, folder: Path, base: Extendable, learned_from: LearnedFrom) -> Made:
    terms, units = learned_from.terms, learned_from.units
    extension = extend_with_terms(base, terms, units(), settings.most_new_tokens, settings.min_count)
    if settings.add:
        refuse_nothing_learned(extension, settings, learned_from.characters)
    if settings.add != "auto":
        return Made(folder, base, extension, None, terms, settings.boundaries)
    # Nobody knows here how long training will be: only the gain decides.
    known = Known(
        {settings.languages[0]: learned_from.held_out},
        settings.languages,
        frequent_texts(base, terms, units()),
        learned_from.characters,
        BaseShape.of(folder),
        {},
        settings.init.pad_to_multiple,
        settings.auto.seen,
    )
    why_none = nothing_learned(extension, settings, learned_from.characters)
    advice = at_least_terms(recommend(points(base, extension, known), settings.auto), terms, why_none)
    reason = f"{advice.reason} (how often training meets them is not known without a run file)"
    return Made(
        folder, base, extension.beginning(advice.add), Recommendation(advice.add, reason), terms, settings.boundaries
    )


def _held_out(builder: Builder, names: Iterable[str]) -> list[str]:
    """Texts that nothing was learned from; of few documents none may be held out, and then those that were."""
    paths = [builder.dir / TASKS / "held_out" / f"{name}.parquet" for name in sorted(names)]
    rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return [row["text"] for row in rows if not row["learned"]] or [row["text"] for row in rows]
