"""The corpus stage: phases of tasks, then the audit and the manifest."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.artifact import Artifact, Builder, Share
from configs.atomic_file import canonical_json
from configs.changes import inputs_file
from configs.schema.corpus import Corpus
from configs.schema.decontaminate import Decontaminate
from configs.schema.preset import load_preset
from configs.schema.run import Run
from corpus.bad_share import refuse_bad_sources
from corpus.card import CARD, data_card
from corpus.cut import Shard, cut
from corpus.decide_task import BoundArgument, DecideArgument, bound_held_out, decide_shard
from corpus.dedup.phases import find_duplicates
from corpus.dedup.signed import number
from corpus.hub_datasets import pinned
from corpus.line_task import CountArgument, RepeatedArgument, count_shard_lines, find_repeated, ranges_of
from corpus.mask.pseudonym import keep_to_key, needs_key, read_key
from corpus.measure_task import MeasureArgument, measure_shard, measured_path, signatures_path
from corpus.on_ray import RayWorkers
from corpus.overlap_task import HeldOutArgument, OverlapArgument, gather_held_out, make_overlap
from corpus.quarantine import write_quarantine
from corpus.rules import check_preset
from corpus.stage import corpus_plan
from corpus.stats import STATS, stats_of
from corpus.tally import Tally
from corpus.tasks import run_phase
from corpus.workers import Workers
from corpus.write_task import WriteArgument, write_shard

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Made:
    """What the tasks gave."""

    builder: Builder
    settings: Corpus
    shards: Sequence[Shard]
    measured: Mapping[str, Any]
    written: Mapping[str, Any]


def build_corpus(run: Run) -> Artifact:
    """Make the corpus, or do what is missing of it.

    Raises:
        UserError: if a source or the preset is missing, too much of a source cannot be read, the directory is another
            run file's, the disk is full, or no document stays.
    """
    made = _do_tasks(run, None)
    return made if isinstance(made, Artifact) else _finish(made, run.run.name)


def share_corpus(run: Run, share: Share) -> None:
    """Do the tasks of the corpus that no other share has done or is at; `build_corpus` finishes it.

    Raises:
        UserError: as `build_corpus`.
    """
    if not isinstance(_do_tasks(run, share), Artifact):
        _log.info("share %d of %d: all tasks are done", share.number + 1, share.of)


def _do_tasks(run: Run, share: Share | None) -> Artifact | _Made:
    """What the tasks give, or the corpus if it is complete."""
    preset = load_preset(run.corpus.preset, run.corpus.rules)
    check_preset(preset, run.corpus.preset)
    settings = pinned(run)
    plan = corpus_plan(run)
    builder = plan.build()
    if builder.complete is not None:
        _log.info("%s is complete", plan.dir)
        return builder.complete
    builder.share = share
    if needs_key(settings.mask):
        keep_to_key(builder, read_key(settings.mask, run.run.dir))
    shards = cut(settings.sources, plan.raw, settings.limits.task_bytes)
    measures = {shard.key: (MeasureArgument(shard, settings, preset), shard.bytes) for shard in shards}
    with (RayWorkers if settings.engine == "ray" else Workers)(settings.workers) as workers:
        measured = run_phase(builder, "measure", measure_shard, measures, workers)
        refuse_bad_sources(_by_source_read(shards, measured), settings.limits.max_bad_share)
        _decide(builder, settings, shards, run.run.seed, workers)
        repeated = _repeated_lines(builder, shards, settings, workers)
        looked_for = _overlap(builder, shards, settings.decontaminate, repeated, workers)
        writes = {
            shard.key: (WriteArgument(shard.key, _of(shard, repeated), settings.decontaminate, looked_for), shard.bytes)
            for shard in shards
        }
        written = run_phase(builder, "write", write_shard, writes, workers)
    return _Made(builder, settings, shards, measured, written)


def _decide(builder: Builder, settings: Corpus, shards: Sequence[Shard], seed: int, workers: Workers) -> None:
    """Find duplicates among all documents, then hold some of the others out."""
    dedup, held_out, sizes = settings.dedup, settings.held_out, {shard.key: shard.bytes for shard in shards}
    files = {key: (builder.dir / measured_path(key), builder.dir / signatures_path(key)) for key in sizes}
    signed, fixed = number([Path(directory) for directory in dedup.against], files, dedup.bands * dedup.rows)
    found = tuple(find_duplicates(builder, signed, fixed, dedup, workers))
    ours = [shard for shard in signed if shard.documents is not None]
    decide = {shard.key: (DecideArgument(shard, found, held_out, seed), sizes[shard.key]) for shard in ours}
    run_phase(builder, "decide", decide_shard, decide, workers)
    bound = BoundArgument(_keys_of_sources([shard for shard in shards if shard.key in decide]), held_out)
    run_phase(builder, "held_out_bounds", bound_held_out, {"all": (bound, sum(sizes.values()))}, workers)


def _repeated_lines(
    builder: Builder, shards: Sequence[Shard], settings: Corpus, workers: Workers
) -> dict[str, tuple[str, ...]]:
    """Find the lines that many documents of a source share; gives by source where they stand."""
    lines = settings.dedup.lines
    if lines is None:
        return {}
    counts = {shard.key: (CountArgument(shard.key, lines), shard.bytes) for shard in shards}
    counted = run_phase(builder, "count_lines", count_shard_lines, counts, workers)
    memory = settings.dedup.memory_gb * 1e9 / workers.count
    ranges: dict[str, tuple[RepeatedArgument, int]] = {}
    names: dict[str, tuple[str, ...]] = {}
    for source, keys in _keys_of_sources(shards).items():
        found = list(ranges_of(source, keys, sum(counted[key] for key in keys), lines, memory, workers.count))
        ranges |= {one.name: (one, sum(counts[key][1] for key in keys) // len(found)) for one in found}
        names[source] = tuple(one.name for one in found)
    run_phase(builder, "repeated_lines", find_repeated, ranges, workers)
    return names


def _keys_of_sources(shards: Sequence[Shard]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = defaultdict(list)
    for shard in shards:
        found[shard.pieces[0].source].append(shard.key)
    return {source: tuple(keys) for source, keys in found.items()}


def _overlap(
    builder: Builder,
    shards: Sequence[Shard],
    settings: Decontaminate,
    repeated: Mapping[str, tuple[str, ...]],
    workers: Workers,
) -> dict[str, int]:
    """Make what is looked for in the texts to train on, once; gives how many items of each evaluation set there are."""
    keys: tuple[str, ...] = ()
    if settings.held_out:
        keys = tuple(shard.key for shard in shards)
        gather = {shard.key: (HeldOutArgument(shard.key, _of(shard, repeated)), shard.bytes) for shard in shards}
        run_phase(builder, "held_out_pieces", gather_held_out, gather, workers)
    making = {"all": (OverlapArgument(keys, settings), sum(shard.bytes for shard in shards))}
    looked_for: dict[str, int] = run_phase(builder, "overlap", make_overlap, making, workers)["all"]
    return looked_for


def _of(shard: Shard, by_source: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return by_source.get(shard.pieces[0].source, ())


def _finish(made: _Made, name_of_run: str) -> Artifact:
    builder, settings, shards, measured = made.builder, made.settings, made.shards, made.measured
    tally = Tally()
    for result in measured.values():
        tally.merge(Tally.from_json(result["tally"]))
    for result in made.written.values():
        tally.merge(Tally.from_json(result))
    write_quarantine(builder, tally)
    pieces: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for shard in shards:
        pieces[shard.pieces[0].source] += measured[shard.key]["pieces"]
    for source, found in pieces.items():
        with builder.file(inputs_file(source)) as out:
            for piece in found:
                out.write((json.dumps(piece, ensure_ascii=False) + "\n").encode())
    counts = {**counts_of(tally), "sources": declared_by(settings)}
    stats = stats_of(tally)
    for name, content in (
        ("audit.json", canonical_json(counts)),
        (STATS, canonical_json(stats)),
        (CARD, data_card(name_of_run, settings, stats, counts).encode()),
    ):
        with builder.file(name) as out:
            out.write(content)
    artifact = builder.finish(counts)
    kept = sum(source["documents"] for source in counts["kept"].values())
    _log.info("%d documents in, %d kept; %s", counts["documents_in"], kept, artifact.dir)
    return artifact


def _by_source_read(shards: Sequence[Shard], measured: Mapping[str, Any]) -> dict[str, Tally]:
    tallies: dict[str, Tally] = defaultdict(Tally)
    for shard in shards:
        tallies[shard.pieces[0].source].merge(Tally.from_json(measured[shard.key]["tally"]))
    return tallies


def declared_by(settings: Corpus) -> dict[str, dict[str, str]]:
    """What each source says of its texts: licence, language, access and retention."""
    names = ("license", "language", "access", "retention")
    return {name: {key: getattr(source, key) for key in names} for name, source in settings.sources.items()}


def counts_of(tally: Tally) -> dict[str, Any]:
    """The tally as the funnel it is: documents in = kept + dropped by reason."""
    counts = tally.counts
    by_prefix: dict[str, dict[str, int]] = defaultdict(dict)
    for name, count in sorted(counts.items()):
        prefix, _, rest = name.partition(".")
        by_prefix[prefix][rest] = count
    dropped = dict(by_prefix["dropped"])
    if tally.quarantine:
        dropped["quarantined"] = len(tally.quarantine)
    reasons: dict[str, int] = defaultdict(int)
    for unreadable in tally.quarantine:
        reasons[unreadable.reason] += 1
    return {
        "documents_in": counts["documents_read"] + len(tally.quarantine),
        "kept": _by_source(by_prefix["kept"]),
        "held_out": _by_source(by_prefix["held_out"]),
        "dropped": dropped,
        "quarantined": dict(sorted(reasons.items())),
        "masked": by_prefix["masked"],
        "normalised": by_prefix["normalised"],
        "lines_removed": counts["lines_removed"],
        "documents_with_lines_removed": counts["documents_with_lines_removed"],
    }


def _by_source(flat: Mapping[str, int]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = defaultdict(dict)
    for name, count in flat.items():
        what, _, source = name.partition(".")
        nested[source][what] = count
    return {source: nested[source] for source in sorted(nested)}
