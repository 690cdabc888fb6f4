"""The second task, one for the whole corpus: duplicates and the held-out split.

.tasks/decided/KEY.parquet    for every document of a shard: its reason, and its survivor if it is a duplicate
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.artifact import TASKS, Claim
from configs.schema.corpus import Corpus
from corpus.dedup.near import STAYS, Verdict, deduplicate
from corpus.kernels.shingles import UInt32
from corpus.measure_task import measured_path, signatures_path
from corpus.shards import ShardWriter
from corpus.split import held_out_rows

EXACT, NEAR, HELD_OUT = "duplicate_exact", "duplicate_near", "held_out"


@dataclass(frozen=True)
class DecideArgument:
    """All shards, in the order of preference."""

    keys: tuple[str, ...]
    settings: Corpus
    seed: int


def decided_path(key: str) -> str:
    """Where the decisions about a shard's documents are."""
    return f"{TASKS}/decided/{key}.parquet"


@dataclass(frozen=True)
class _Documents:
    """Columns of all documents of the corpus, shard after shard; the rows of `passing` passed the rules."""

    id: list[str]
    source: list[str]
    shard: np.ndarray[Any, np.dtype[np.int64]]
    reason: list[str | None]
    content: list[bytes]
    signature_NK: UInt32
    passing: np.ndarray[Any, np.dtype[np.int64]]


def decide_all(claim: Claim, argument: DecideArgument) -> dict[str, Any]:
    """Find duplicates among the documents that passed the rules, then hold some of the others out.

    Returns:
        How many documents each decision met.
    """
    documents = _load(claim.dir, argument)
    passing = documents.passing
    verdict = deduplicate(
        [documents.content[row] for row in passing],
        documents.signature_NK[passing],
        lambda rows: _texts(claim.dir, argument.keys, documents.shard, passing[list(rows)].tolist()),
        argument.settings.dedup,
    )
    reason, survivor = _apply(documents, verdict)
    _hold_out(documents, verdict, reason, argument)
    for number, key in enumerate(argument.keys):
        rows = np.flatnonzero(documents.shard == number)
        with ShardWriter(claim, decided_path(key)) as writer:
            columns = {
                "reason": pa.array([reason[row] for row in rows], type=pa.string()),
                "survivor": pa.array([survivor[row] for row in rows], type=pa.string()),
            }
            writer.add(pa.table(columns))
    return {word: reason.count(word) for word in (EXACT, NEAR, HELD_OUT)}


def _load(directory: Path, argument: DecideArgument) -> _Documents:
    values = argument.settings.dedup.bands * argument.settings.dedup.rows
    tables, signed, shard = [], [], []
    for number, key in enumerate(argument.keys):
        if (directory / measured_path(key)).exists():
            tables.append(pq.read_table(directory / measured_path(key), columns=["id", "source", "reason", "content"]))
            signed.append(pq.read_table(directory / signatures_path(key), columns=["signature"]))
            shard += [number] * tables[-1].num_rows
    if not tables:
        empty = np.empty(0, np.int64)
        return _Documents([], [], empty, [], [], np.empty((0, values), np.uint32), empty)
    table = pa.concat_tables(tables)
    column = pa.concat_tables(signed).column("signature").combine_chunks()
    signature_NK = np.frombuffer(column.buffers()[1], np.uint32)[: len(column) * values].reshape(-1, values)
    reason = table.column("reason").to_pylist()
    return _Documents(
        table.column("id").to_pylist(),
        table.column("source").to_pylist(),
        np.array(shard, np.int64),
        reason,
        table.column("content").to_pylist(),
        signature_NK,
        np.flatnonzero(np.array([word is None for word in reason])),
    )


def _texts(
    directory: Path, keys: Sequence[str], shard: np.ndarray[Any, np.dtype[np.int64]], rows: Sequence[int]
) -> list[str]:
    texts: dict[int, str] = {}
    wanted = np.asarray(rows, np.int64)
    for number in np.unique(shard[wanted]) if wanted.size else []:
        first = int(np.flatnonzero(shard == number)[0])
        here = wanted[shard[wanted] == number]
        column = pq.read_table(directory / measured_path(keys[number]), columns=["text"]).column("text")
        texts.update(zip(here.tolist(), column.take(pa.array(here - first)).to_pylist(), strict=True))
    return [texts[int(row)] for row in wanted]


def _apply(documents: _Documents, verdict: Verdict) -> tuple[list[str | None], list[str | None]]:
    reason = list(documents.reason)
    survivor: list[str | None] = [None] * len(reason)
    for word, found_N in ((EXACT, verdict.exact_N), (NEAR, verdict.near_N)):
        for at in np.flatnonzero(found_N != STAYS):
            row = documents.passing[at]
            reason[row] = word
            survivor[row] = documents.id[documents.passing[found_N[at]]]
    return reason, survivor


def _hold_out(documents: _Documents, verdict: Verdict, reason: list[str | None], argument: DecideArgument) -> None:
    passing_ids = [documents.id[row] for row in documents.passing]
    name_of: dict[int, str] = {}
    for label, one in zip(verdict.cluster_N.tolist(), passing_ids, strict=True):
        name_of[label] = min(name_of.get(label, one), one)
    names = dict(zip(documents.passing.tolist(), (name_of[label] for label in verdict.cluster_N.tolist()), strict=True))
    for source in argument.settings.sources:
        kept = [row for row in names if reason[row] is None and documents.source[row] == source]
        chosen = held_out_rows([names[row] for row in kept], argument.seed, argument.settings.held_out)
        for row, out in zip(kept, chosen, strict=True):
            if out:
                reason[row] = HELD_OUT
