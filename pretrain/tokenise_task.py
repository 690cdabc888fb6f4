"""One corpus shard to one token shard: documents in the order of the corpus shard, one after the other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.artifact import Claim
from corpus.batch import pieces
from corpus.shards import read_batches
from pretrain.document_format import DocumentFormat
from pretrain.indexed_tokens import Int64, Tokens, token_dtype, write_documents

# So much text at a time: where the library encodes, tokens as Python numbers take about a hundred times as much memory.
_PIECE_BYTES = 1_000_000


@dataclass(frozen=True)
class TokeniseArgument:
    """A shard and how it becomes tokens."""

    shard: Path
    tokenizer: Path
    end_of_document: str | None
    threads: int
    """Of each process, so that all together are as many as there are CPUs."""


def tokenise_shard(claim: Claim, argument: TokeniseArgument) -> dict[str, int]:
    """Write SHARD.bin and SHARD.idx.

    Returns:
        Counts: documents, tokens.
    """
    if multiprocessing.parent_process() is not None:
        # Read by the tokenizers' thread pool when it starts; beyond this process it would change the caller's.
        os.environ["RAYON_NUM_THREADS"] = str(argument.threads)
        os.environ["TOKENIZERS_PARALLELISM"] = "true" if argument.threads > 1 else "false"
    form = DocumentFormat.from_folder(argument.tokenizer, argument.end_of_document)
    dtype = token_dtype(form.tokenizer.size)
    encoded = _encoded(argument.shard, form, dtype, argument.threads)
    documents, tokens = write_documents(claim, argument.shard.stem, encoded, dtype)
    return {"documents": documents, "tokens": tokens}


def _encoded(shard: Path, form: DocumentFormat, dtype: np.dtype[Any], threads: int) -> Iterator[tuple[Tokens, Int64]]:
    with ThreadPoolExecutor(threads) as pool:
        for batch in read_batches([shard], ["text"]):
            text = batch.column("text").cast(pa.large_string())
            yield from pool.map(lambda piece: form.encode_column(piece, dtype), pieces(text, _PIECE_BYTES))
