"""Terms of a run, counted in the text that is learned from, before its units are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.artifact import Builder, Claim
from configs.changes import inputs_file
from configs.schema.tokenizer import Tokenizer
from corpus.tasks import run_phase
from tokenizer.sampled import sampled_texts
from tokenizer.sorted_runs import merged, read_run
from tokenizer.stage import term_files
from tokenizer.term_counts import TermCounter
from tokenizer.term_lists import ListedTerm, read_terms
from tokenizer.terms import Counted
from tokenizer.write import hash_base_files


@dataclass(frozen=True)
class TermArgument:
    """A shard to count strings in."""

    shard: Path
    share: float
    """Share of the documents that are looked at, chosen by id."""
    strings: tuple[str, ...]


def listed_terms(builder: Builder, settings: Tokenizer) -> list[ListedTerm]:
    """The terms of all lists; the builder is told which bytes were read."""
    note_term_files(builder, settings)
    return read_terms([file for some in term_files(settings).values() for file in some])


def note_term_files(builder: Builder, settings: Tokenizer) -> None:
    """Write the digests of the lists, by which a change is noticed."""
    for name, some in term_files(settings).items():
        with builder.file(inputs_file(name)) as out:
            out.write(hash_base_files(some))


def count_in_shards(builder: Builder, shards: list[Path], share: float, strings: list[str], workers: int) -> Counted:
    """Count strings in the sampled documents of some shards."""
    arguments = {path.stem: (TermArgument(path, share, tuple(strings)), path.stat().st_size) for path in shards}
    return summed(run_phase(builder, "terms", count_terms, arguments, workers), len(strings))


def summed(results: Mapping[str, Any], strings: int) -> Counted:
    """The counts of all tasks together."""
    counts = [0] * strings
    for result in results.values():
        counts = [before + more for before, more in zip(counts, result["counts"], strict=True)]
    return counts, sum(result["characters"] for result in results.values())


def count_terms(_: Claim, argument: TermArgument) -> dict[str, Any]:
    """How often each string stands in the sampled documents, and their characters."""
    counter, characters = TermCounter(argument.strings), 0
    for text in sampled_texts(argument.shard, argument.share):
        counter.add(text.to_pylist())
        characters += pc.sum(pc.utf8_length(text)).as_py() or 0
    return {"counts": counter.counts, "characters": characters}


def units_of_runs(builder: Builder, results: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Units of all runs that some tasks have written, each once."""
    runs = [builder.dir / name for result in results.values() for name in result["runs"]]
    return merged([read_run(path) for path in runs])
