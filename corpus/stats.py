"""What a corpus consists of, per source and licence: sizes, languages, scripts, lengths, what was dropped and why."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.artifact import Artifact
from configs.schema.run import Run
from corpus.batch import utf8_of
from corpus.kernels.classes import CLASSES, count_classes
from corpus.tally import Tally

STATS = "stats.json"
JAPANESE = ("hiragana", "katakana", "kanji")
# Tokens per character, fitted to 1,500 Japanese documents: the tokenizer tekken (240911) of mistral-common has 131,000
# tokens. Its own base and the run's new tokens decide what a run really has; `pretrain pack` counts that.
TOKENS_PER_JAPANESE, TOKENS_PER_OTHER = 0.83, 0.26
LENGTHS = (100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)
"""Bounds, in characters, of the classes of length; a document on a bound belongs to the class above."""
_PREFIX = "stats"


def count_documents(batch: pa.RecordBatch, tally: Tally) -> None:
    """Count documents that have their final text and reason; those without a reason are kept."""
    sources, licenses = batch.column("source").to_pylist(), batch.column("license").to_pylist()
    reasons, languages = batch.column("reason").to_pylist(), batch.column("language").to_pylist()
    offsets_N1, utf8 = utf8_of(batch.column("text"))
    counts_NC = count_classes(offsets_N1, utf8)
    length_N = pc.utf8_length(batch.column("text")).to_numpy()
    bytes_N = np.diff(offsets_N1)
    class_N = np.searchsorted(LENGTHS, length_N, side="right")
    kept: dict[str, list[int]] = defaultdict(list)
    for row, (source, license_, reason) in enumerate(zip(sources, licenses, reasons, strict=True)):
        begin = f"{_PREFIX}\t{source}\t{license_ or ''}\t"
        if reason is None:
            kept[begin].append(row)
        else:
            tally.add(f"{begin}dropped\t{reason}")
    for begin, rows in kept.items():
        tally.add(f"{begin}documents", len(rows))
        tally.add(f"{begin}characters", length_N[rows].sum())
        tally.add(f"{begin}bytes", bytes_N[rows].sum())
        for language, count in Counter(languages[row] for row in rows).items():
            tally.add(f"{begin}languages\t{language}", count)
        for number, count in Counter(class_N[rows].tolist()).items():
            tally.add(f"{begin}lengths\t{number}", count)
        for name, count in zip(CLASSES, counts_NC[rows].sum(axis=0).tolist(), strict=True):
            tally.add(f"{begin}characters_of\t{name}", count)


def stats_of(tally: Tally) -> dict[str, Any]:
    """The statistics in a tally: by source, then by licence."""
    stats: dict[str, Any] = defaultdict(dict)
    for name, count in sorted(tally.counts.items()):
        if not name.startswith(f"{_PREFIX}\t"):
            continue
        _, source, license_, what, *detail = name.split("\t")
        one = stats[source].setdefault(license_, _nothing())
        if detail:
            one[what][detail[0]] = count
        else:
            one[what] = count
    for of_license in stats.values():
        for one in of_license.values():
            _add_shares(one)
    return dict(stats)


def _nothing() -> dict[str, Any]:
    return {
        "documents": 0,
        "characters": 0,
        "bytes": 0,
        "languages": {},
        "lengths": {},
        "characters_of": {},
        "dropped": {},
    }


def _add_shares(one: dict[str, Any]) -> None:
    classes = one.pop("characters_of")
    japanese = sum(classes.get(name, 0) for name in JAPANESE)
    other = one["characters"] - japanese
    one["estimated_tokens"] = round(TOKENS_PER_JAPANESE * japanese + TOKENS_PER_OTHER * other)
    one["scripts"] = {name: round(classes.get(name, 0) / max(one["characters"], 1), 4) for name in CLASSES}
    one["languages"] = {name: round(count / one["documents"], 4) for name, count in one["languages"].items()}
    one["lengths"] = {_length_name(number): one["lengths"].get(str(number), 0) for number in range(len(LENGTHS) + 1)}
    dropped = one["dropped"]
    one["duplicates"] = dropped.get("duplicate_exact", 0) + dropped.get("duplicate_near", 0)


def _length_name(number: int) -> str:
    """The name of a class of length.

    >>> _length_name(0), _length_name(1), _length_name(7)
    ('<100', '100-299', '>=100000')
    """
    if number == 0:
        return f"<{LENGTHS[0]}"
    if number == len(LENGTHS):
        return f">={LENGTHS[-1]}"
    return f"{LENGTHS[number - 1]}-{LENGTHS[number] - 1}"


def read_stats(corpus: Artifact, run: Run) -> dict[str, Any]:
    """The statistics of a finished corpus, and what training by the run file takes of it."""
    sources = json.loads(corpus.path(STATS).read_bytes())
    return {"sources": sources, "mixture": planned_mixture(sources, run)}


def planned_mixture(sources: Mapping[str, Any], run: Run) -> dict[str, dict[str, dict[str, float]]]:
    """For each stage and source of the corpus: share of the stage, its tokens, and how often that is the whole source.

    Tokens of a source are estimated; the shares are exact, because the sample plan draws by weight.
    """
    planned: dict[str, dict[str, dict[str, float]]] = {}
    for name, stage in run.pretrain.stages.items():
        total = sum(stage.mixture.values())
        planned[name] = {}
        for source, weight in stage.mixture.items():
            have = sum(one["estimated_tokens"] for one in sources.get(source, {}).values())
            tokens = stage.tokens * weight / total
            planned[name][source] = {"share": round(weight / total, 6), "tokens": round(tokens)}
            if have:
                planned[name][source]["epochs"] = round(tokens / have, 3)
    return planned


def stats_lines(stats: Mapping[str, Any]) -> Iterator[str]:
    """The statistics for people."""
    for source, of_license in stats["sources"].items():
        for license_, one in of_license.items():
            yield f"{source}  ({license_ or 'licence not declared'})"
            yield (
                f"  {one['documents']:,} documents, {one['characters']:,} characters, {one['bytes']:,} bytes, "
                f"about {one['estimated_tokens']:,} tokens"
            )
            yield f"  languages  {_shares(one['languages']) or 'none'}"
            yield f"  scripts    {_shares(one['scripts']) or 'none'}"
            lengths = {name: one["lengths"][name] for name in map(_length_name, range(len(LENGTHS) + 1))}
            yield f"  lengths    {_counts(lengths) or 'none'}"
            yield f"  dropped    {_counts(one['dropped']) or 'none'}"
    for stage, mixture in stats["mixture"].items():
        yield f"stage {stage}"
        for source, one in mixture.items():
            epochs = f", about {one['epochs']:g} epochs" if "epochs" in one else ""
            yield f"  {source}  {one['share']:.1%}, {one['tokens']:,} tokens{epochs}"


def _shares(shares: Mapping[str, float]) -> str:
    found = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {share:.1%}" for name, share in found if share >= 0.001)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items() if count)
