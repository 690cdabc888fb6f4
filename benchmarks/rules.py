"""Speed of measuring and deciding: from compressed JSON lines to documents with a reason, and deciding again."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from benchmarks.figures import Figures, cpu_seconds, figure
from benchmarks.text import japanese
from configs.artifact import Claim, build
from configs.load import load
from configs.schema.corpus import Limits, Normalise, Source
from configs.schema.preset import load_preset
from configs.schema.run import Run
from corpus.batch import Batch
from corpus.judge import judge
from corpus.measures.registry import names_for, table_of
from corpus.normalise.step import normalise
from corpus.read.open import read
from corpus.read.source import Piece, Reading
from corpus.retune import retune
from corpus.rules import reason_words
from corpus.shards import ShardWriter
from corpus.tally import Tally

_PRESET = "swallow-v1"
_DOCUMENTS, _SHARDS = 10_000_000, 40
_RUN_FILE = """
run: {{name: bench, dir: {root}, seed: 1}}
corpus: {{sources: {{web: {{path: {root}, language: ja}}}}, preset: swallow-v1, workers: 2}}
pretrain: {{base: none, stages: {{all: {{tokens: 1, mixture: {{web: 1}}}}}}}}
"""


def rules_figures(megabytes: int) -> Figures:
    """Reading, normalising, every measure of swallow-v1, deciding and writing, in MB of text per second of one core."""
    texts = japanese(megabytes)
    size = sum(len(text.encode()) for text in texts) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "text.jsonl.zst"
        lines = b"".join(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts)
        path.write_bytes(zstandard.compress(lines))
        peers = {"decompress_and_parse": size / cpu_seconds(lambda: _parsed(path))}
        if importlib.util.find_spec("hojichar") is not None:
            peers["hojichar"] = size / cpu_seconds(lambda: _hojichar(path), rounds=1)
        return {"corpus/rules": figure(size / cpu_seconds(lambda: _decide(path, Path(folder))), "MB/s", **peers)}


def _parsed(path: Path) -> list[Any]:
    return [json.loads(line) for line in zstandard.decompress(path.read_bytes()).splitlines()]


def _decide(path: Path, out: Path) -> None:
    preset = load_preset(_PRESET)
    tally = Tally()
    reading = Reading(
        Piece("web", path.name, path, 0, path.stat().st_size),
        Source(path=str(path), language="ja"),
        Limits(),
        tally,
        {},
    )
    claim = Claim(out, "shard", "")
    with ShardWriter(claim, "documents.parquet") as documents, ShardWriter(claim, "measures.parquet") as measures:
        for batch in read(reading):
            batch = normalise(batch, preset.steps, Normalise(), tally)
            columns, reason_N = judge(batch, preset.rules)
            reason = pa.array(reason_words(reason_N, preset.rules), pa.string())
            documents.add(_with_reason(batch, reason))
            measures.add(table_of(batch, columns))


def _with_reason(batch: Batch, reason: pa.Array) -> pa.Table:
    return pa.Table.from_batches([batch]).append_column("reason", reason)


def _hojichar(path: Path) -> None:
    """HojiChar's own filters that need neither a dictionary of morphemes nor one of emoji, on the same documents."""
    # By name, for it is no dependency: nobody needs it to check types.
    hojichar, document_filters = import_module("hojichar"), import_module("hojichar.filters.document_filters")
    filters = hojichar.Compose(
        [
            document_filters.DocumentNormalizer(),
            document_filters.AcceptJapanese(),
            document_filters.DiscardRareKuten(),
            document_filters.DiscardBBSComments(),
            document_filters.CharRepetitionRatioFilter(),
            document_filters.SingleCharacterRepetitionFilter(),
            document_filters.DiscardTooManyEndingEllipsis(),
            document_filters.DiscardTooShortLines(),
        ]
    )
    with open(path.with_name("hojichar.jsonl"), "w", encoding="utf-8") as out:
        for record in _parsed(path):
            document = filters.apply(hojichar.Document(record["text"]))
            out.write(json.dumps({"text": document.text, "dropped": document.is_rejected}, ensure_ascii=False) + "\n")


def retune_figures() -> Figures:
    """Deciding again about ten million documents by the kept measures of swallow-v1, on two cores, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "run.yaml").write_text(_RUN_FILE.format(root=root))
        builder = build(root / "corpus", kind="corpus", version=0, config={}, inputs={})
        shard = root / "shard.parquet"
        pq.write_table(_generated(_DOCUMENTS // _SHARDS), shard, compression="zstd", compression_level=3)
        content = shard.read_bytes()
        for number in range(_SHARDS):
            with builder.file(f"measures/web-{number:05d}.parquet") as out:
                out.write(content)
        corpus = builder.finish({})
        built = load(root / "run.yaml", Run)
        wanted = load(
            root / "run.yaml", Run, ["corpus.rules.too_short.min=300", "corpus.rules.repeated_5grams.max=0.2"]
        )
        started, busy = time.perf_counter(), time.process_time()
        retune(corpus, built, wanted, 3)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
    return {"corpus/retune_10m": figure(seconds, "s", processor_time=busy, cores=float(len(os.sched_getaffinity(0))))}


def _generated(rows: int) -> pa.Table:
    """Measures as they come: ratios of counts, around the bounds of the preset's rules."""
    random = np.random.default_rng(1)
    rules = load_preset(_PRESET).rules
    bounds = {rule.measure: rule.min if rule.min is not None else rule.max for rule in rules}
    names = dict.fromkeys([*names_for(list(bounds), "always"), *names_for(list(bounds), "asked")])
    columns = {"id": pa.array([f"{number:024x}" for number in range(rows)])}
    whole = random.integers(1_000, 20_000, rows)
    for name in names:
        middle = bounds.get(name) or 0.5
        columns[name] = pa.array(np.round(random.gamma(4, middle / 4, rows) * whole) / whole)
    return pa.table(columns)
