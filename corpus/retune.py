"""Deciding again, by other rules, from the measures that a finished corpus keeps: what would change, and for whom.

Only the rules are asked. Among the documents that pass, the build would look for duplicates again, and hold some out.

Shapes: N documents of a shard, R rules.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.preset import Preset, Rule, load_preset
from configs.schema.run import Run
from corpus.kernels.utf8 import Int64
from corpus.lists import list_measures, list_rules
from corpus.measures.registry import Columns, OwnMeasures, measure, names_for
from corpus.rules import KEPT, Reasons, check_preset, failing
from corpus.texts import texts_of

_SHOWN_CHARACTERS = 120
Change = tuple[str | None, str | None]
"""Reason before and after; None is kept."""


@dataclass(frozen=True)
class Example:
    """A document whose decision would change."""

    shard: str
    row: int
    change: Change
    value: float
    """Of the measure that one of the two decisions hangs on, the later one if it drops."""
    id: str = ""


@dataclass
class Retuned:
    """What another set of rules would do to a corpus."""

    counts: Counter[Change] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)
    measured_again: int = 0
    """Documents whose text had to be read for a measure that was not kept."""

    def merge(self, other: Retuned, examples: int) -> None:
        """Add a later shard's; of every change the first few examples stay."""
        self.counts.update(other.counts)
        self.measured_again += other.measured_again
        shown = Counter(one.change for one in self.examples)
        for one in other.examples:
            if shown[one.change] < examples:
                self.examples.append(one)
                shown[one.change] += 1


def retune(corpus: Artifact, built: Run, wanted: Run, examples: int) -> Retuned:
    """Decide about every document of a corpus by the rules of two run files.

    Args:
        built: the run file that the corpus was built by.
        wanted: the same with other rules.
        examples: how many documents are remembered of every kind of change.
    Raises:
        UserError: if the two differ in more than rules, or in what is done to texts before they are measured.
    """
    before = load_preset(built.corpus.preset, built.corpus.rules)
    after = load_preset(wanted.corpus.preset, wanted.corpus.rules)
    check_preset(after, wanted.corpus.preset)
    _refuse_more(built, wanted, before, after)
    ours = list_rules(built.corpus)
    rules = ((*before.rules, *ours), (*after.rules, *ours))
    own = list_measures(built.corpus)
    languages = {name: source.language for name, source in built.corpus.sources.items()}
    paths = corpus.below("measures")
    workers = built.corpus.workers or len(os.sched_getaffinity(0))

    def shard(path: Path) -> Retuned:
        language = languages[path.stem.rsplit("-", 1)[0]]
        return _retune_shard(corpus, path, language, rules, examples, own)

    retuned = Retuned()
    # Threads: Arrow reads and numpy compares without the interpreter lock.
    with ThreadPoolExecutor(workers) as pool:
        for one in pool.map(shard, paths):
            retuned.merge(one, examples)
    # Only now, for the few that are shown: ids are the largest column.
    for stem in {one.shard for one in retuned.examples}:
        ids = pq.read_table(corpus.path(f"measures/{stem}.parquet"), columns=["id"]).column("id")
        retuned.examples = [
            replace(one, id=ids[one.row].as_py()) if one.shard == stem else one for one in retuned.examples
        ]
    return retuned


def _refuse_more(built: Run, wanted: Run, before: Preset, after: Preset) -> None:
    ours = {"preset", "rules", "workers"}
    for key in type(built.corpus).model_fields:
        if key not in ours and getattr(built.corpus, key) != getattr(wanted.corpus, key):
            raise UserError(f"corpus.{key}: retune changes rules only; build the corpus anew for this")
    if before.steps != after.steps:
        raise UserError(
            f"corpus.preset: {wanted.corpus.preset} normalises otherwise than {built.corpus.preset} "
            f"({', '.join(after.steps)}; {', '.join(before.steps)}), and measures would differ; build the corpus anew"
        )


def _retune_shard(
    corpus: Artifact,
    path: Path,
    language: str,
    presets: tuple[Sequence[Rule], Sequence[Rule]],
    examples: int,
    own: OwnMeasures,
) -> Retuned:
    applying = [[rule for rule in rules if not rule.languages or language in rule.languages] for rules in presets]
    stored = pq.ParquetFile(path)
    kept = set(stored.schema_arrow.names)
    asked = list(dict.fromkeys(rule.measure for rules in applying for rule in rules))
    table = stored.read([name for name in asked if name in kept])
    rows = stored.metadata.num_rows
    columns: Columns = {name: _column(table, name) for name in asked if name in kept}
    columns |= {name: np.full(rows, np.nan) for name in asked if name not in kept}
    before_N, after_N = (_decide(columns, rules, rows) for rules in applying)
    again = 0
    # A text is read for a document that passes the new rules so far and lacks a number for one of them.
    lacking_N = _lacking(columns, applying[1], after_N, kept - set(own))
    if lacking_N.any():
        again = _measure_again(corpus, path.stem, np.flatnonzero(lacking_N), columns, applying[1], own)
        after_N = _decide(columns, applying[1], rows)
    changed = np.int64(before_N) * (len(applying[1]) + 1) + after_N
    retuned = Retuned(measured_again=again)
    counts = np.bincount(changed)
    for code in np.flatnonzero(counts).tolist():
        at, to = divmod(code, len(applying[1]) + 1)
        change = (_word(applying[0], at), _word(applying[1], to))
        retuned.counts[change] += int(counts[code])
        if change[0] != change[1] and examples:
            deciding = applying[1][to - 1] if to else applying[0][at - 1]
            for row in np.flatnonzero(changed == code)[:examples].tolist():
                retuned.examples.append(Example(path.stem, row, change, float(columns[deciding.measure][row])))
    return retuned


def _column(table: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    values: np.ndarray[Any, np.dtype[np.float64]] = table.column(name).to_numpy()
    return values


def _word(rules: Sequence[Rule], code: int) -> str | None:
    return rules[code - 1].reason if code else None


def _decide(columns: Columns, rules: Sequence[Rule], rows: int) -> Reasons:
    reason_N = np.zeros(rows, np.uint16)
    # From the last rule to the first, so that the first has the last word.
    for code in range(len(rules), 0, -1):
        reason_N[failing(rules[code - 1], columns[rules[code - 1].measure])] = code
    return reason_N


def _lacking(
    columns: Columns, rules: Sequence[Rule], reason_N: Reasons, kept: set[str]
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    lacking_N = np.zeros(reason_N.shape, np.bool_)
    asked = list(dict.fromkeys(rule.measure for rule in rules))
    late = names_for(asked, "undecided")
    for name in asked:
        # Any other measure that was kept and is null says that the document has no such number.
        if name in late or name not in kept:
            lacking_N |= np.isnan(columns[name])
    lacking_N &= reason_N == KEPT
    return lacking_N


def _measure_again(
    corpus: Artifact, shard: str, rows: Int64, columns: Columns, rules: Sequence[Rule], own: OwnMeasures
) -> int:
    ids = pq.read_table(corpus.path(f"measures/{shard}.parquet"), columns=["id"]).column("id").take(pa.array(rows))
    names = list(dict.fromkeys(rule.measure for rule in rules))
    found = texts_of(corpus, shard, ids)
    measured = measure(found, [name for name in names if name not in own])
    for name, values in {**measured, **{name: own[name](found) for name in names if name in own}}.items():
        # What is stored was measured before personal data was masked, and stays.
        column = columns[name].copy()
        column[rows] = np.where(np.isnan(column[rows]), values, column[rows])
        columns[name] = column
    return len(rows)


def retuned_lines(retuned: Retuned, corpus: Artifact) -> Iterator[str]:
    """The result for people: documents by reason before and after, then examples."""
    before, after = Counter[str | None](), Counter[str | None]()
    for (was, would), count in retuned.counts.items():
        before[was] += count
        after[would] += count
    yield f"{'before':>12}  {'after':>12}  {'change':>12}"
    for word in sorted(before | after, key=lambda one: (one is None, -max(before[one], after[one]), one or "")):
        yield f"{before[word]:>12,}  {after[word]:>12,}  {after[word] - before[word]:>+12,}  {word or 'pass the rules'}"
    if retuned.measured_again:
        yield f"{retuned.measured_again:,} documents were measured again, as they were written: masked, lines removed"
    for one in retuned.examples:
        text = texts_of(corpus, one.shard, pa.array([one.id])).column("text")[0].as_py()
        was, would = (word or "kept" for word in one.change)
        yield f"--- {one.id}  {was} -> {would}  ({one.value:.4g})"
        yield text[:_SHOWN_CHARACTERS]
