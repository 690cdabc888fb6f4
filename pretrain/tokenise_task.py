"""One corpus shard to one token shard: documents in the order of the corpus shard, one after the other."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.artifact import Claim
from corpus.shards import read_batches
from pretrain.document_format import DocumentFormat
from pretrain.indexed_tokens import Int64, Tokens, token_dtype, write_documents

# So much text at a time: its tokens as Python numbers take about a hundred times as much memory.
_BATCH_BYTES = 4_000_000


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
    documents, tokens = write_documents(claim, argument.shard.stem, _encoded(argument.shard, form, dtype), dtype)
    return {"documents": documents, "tokens": tokens}


def _encoded(shard: Path, form: DocumentFormat, dtype: np.dtype[Any]) -> Iterator[tuple[Tokens, Int64]]:
    texts: list[str] = []
    size = 0
    for batch in read_batches([shard], ["text"]):
        for text in batch.column("text").to_pylist():
            texts.append(text)
            size += len(text) * 3
            if size >= _BATCH_BYTES:
                yield form.encode_arrays(texts, dtype)
                texts, size = [], 0
    if texts:
        yield form.encode_arrays(texts, dtype)
