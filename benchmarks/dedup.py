"""Speed of signatures and of near-deduplication from Parquet to Parquet, one core, beside what pip can install.

Processor time, not wall time: what others do on the machine does not count.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.figures import Figures, cpu_seconds, figure
from benchmarks.text import japanese
from configs.schema.dedup import Dedup
from corpus.batch import utf8_of
from corpus.dedup.files import deduplicate_files
from corpus.kernels.shingles import SHINGLE, signatures

_MEGABYTES, _PEER_MEGABYTES, _VALUES = 50, 5, 256
_BANDS_AND_ROWS = 32, 8


def measure() -> Figures:
    """Megabytes of text per second of one core."""
    logging.disable(logging.INFO)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    texts = japanese(_MEGABYTES)
    size = _megabytes(texts)
    few = japanese(_PEER_MEGABYTES)
    peers = {name: _megabytes(few) / cpu_seconds(partial(sign, few)) for name, sign in _peers().items()}
    column = utf8_of(pa.array(texts, pa.large_string()))
    speed = size / cpu_seconds(lambda: signatures(*column, _VALUES))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        copies = _with_copies(texts)
        pq.write_table(pa.table({"text": copies}), root / "in.parquet", compression="zstd")
        rounds = iter(range(10))

        def deduplicate() -> None:
            deduplicate_files([str(root / "in.parquet")], root / str(next(rounds)), Dedup(), workers=1)

        whole = _megabytes(copies) / cpu_seconds(deduplicate)

        def copy() -> None:
            pq.write_table(pq.read_table(root / "in.parquet"), root / "copy.parquet", compression="zstd")

        through = _megabytes(copies) / cpu_seconds(copy)
    return {
        "dedup/signatures_256": figure(speed, "MB/s", **peers),
        "dedup/parquet_to_parquet": figure(whole, "MB/s", read_and_write=through),
    }


def _megabytes(texts: list[str]) -> float:
    return sum(len(text.encode()) for text in texts) / 1e6


def _with_copies(texts: list[str]) -> list[str]:
    """Every fifth document once more, with one character in a hundred replaced."""
    random = Random(1)
    copies = [
        "".join("々" if random.random() < 0.01 else letter for letter in text)
        for text in texts
        if random.random() < 0.2
    ]
    found = [*texts, *copies]
    random.shuffle(found)
    return found


def _peers() -> dict[str, Callable[[list[str]], object]]:
    """The packages that are installed, each signing as its own documentation does it."""
    found: dict[str, Callable[[list[str]], object]] = {}
    if find_spec("rensa") is not None:
        RMinHash = import_module("rensa").RMinHash

        def rensa(texts: list[str]) -> None:
            for text in texts:
                one = RMinHash(num_perm=_VALUES, seed=1)
                one.update(_grams(text))
                one.digest()

        found["rensa"] = rensa
    if find_spec("datasketch") is not None:
        MinHash = import_module("datasketch").MinHash

        def datasketch(texts: list[str]) -> None:
            for text in texts:
                MinHash(num_perm=_VALUES).update_batch([gram.encode() for gram in _grams(text)])

        found["datasketch"] = datasketch
    if find_spec("datatrove") is not None:
        minhash, words, hashing = (
            import_module(f"datatrove.{name}")
            for name in ("pipeline.dedup.minhash", "utils.word_tokenizers", "utils.hashing")
        )
        # Its own words of Japanese need another program and several times as long; of characters, as the others.
        config = minhash.MinhashConfig(SHINGLE, *_BANDS_AND_ROWS)
        step = minhash.MinhashDedupSignature(".", config, language=words.WhitespaceTokenizer())
        hash_of = hashing.create_hash_func(config.hash_config)

        def datatrove(texts: list[str]) -> None:
            for text in texts:
                hashes = [hash_of(gram.encode()) for gram in _grams(text)]
                step.get_signature(np.array(hashes, np.uint64).reshape(-1, 1))

        found["datatrove"] = datatrove
    return found


def _grams(text: str) -> list[str]:
    return [text[at : at + SHINGLE] for at in range(max(len(text) - SHINGLE + 1, 1))]
