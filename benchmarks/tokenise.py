"""Tokenising on one core, kind by kind, beside `datasets.map` with the same fast tokenizer; and the padding."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from transformers import PreTrainedTokenizerFast

from benchmarks.figures import Figures, figure
from benchmarks.text import japanese
from benchmarks.tokenizers_of import mistral, tekken, trained, unigram, write_folder
from configs.artifact import Claim
from pretrain.indexed_tokens import IndexedTokens
from pretrain.packing import pack
from pretrain.tokenise_task import TokeniseArgument, tokenise_shard

_SMOLLM2 = Path("models/smollm2-135m-instruct")
# More than 10 M tokens of it, which is from where on a source is packed with little padding.
_MEGABYTES = 18
_MEGABYTES_OF_KIND = 6
_ROUNDS = 2
_SEQ_LEN = 4096


def measure() -> Figures:
    """Millions of tokens per CPU second from a Parquet shard to token files, and what 4,096 of them waste."""
    # One core for all, so that the ratio is one of work and not of threads.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    datasets.disable_progress_bars()
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = japanese(_MEGABYTES)
        shard = _shard(folder / "text-00000.parquet", texts)
        figures |= _of_kind("smollm2", _SMOLLM2, shard)
        figures["tokenise/padding_share"] = _padding(IndexedTokens(folder / "text-00000").lengths())
        few = texts[: len(texts) * _MEGABYTES_OF_KIND // _MEGABYTES]
        small = _shard(folder / "small-00000.parquet", few)
        # Tekken's 131,072 tokens take more than a second to load, which is too much beside a small file.
        kinds = {
            "llama3_layout": (trained("llama3", few), small),
            "qwen_layout": (trained("qwen", few), small),
            "tekken": (tekken(), shard),
        }
        for kind, (definition, text) in kinds.items():
            figures |= _of_kind(kind, write_folder(folder / kind, definition), text)
        for kind, definition in (("mistral", mistral()), ("unigram", unigram(few))):
            figures |= _of_kind(kind, write_folder(folder / kind, definition, end="</s>"), small)
    return figures


def _shard(path: Path, texts: list[str]) -> Path:
    pq.write_table(pa.table({"text": pa.array(texts, pa.large_string())}), path)
    return path


def _of_kind(kind: str, tokenizer: Path, shard: Path) -> Figures:
    folder = shard.parent
    argument = TokeniseArgument(shard, tokenizer, None, 1)
    claim = Claim(folder, "task", "digest")
    ways = {
        "ours": lambda: tokenise_shard(claim, argument),
        "datasets_map": _mapped(tokenizer, folder, shard, {}),
        "datasets_map_ids_only": _mapped(tokenizer, folder, shard, {"return_attention_mask": False}),
    }
    seconds = _cpu_seconds(ways)
    million = int(IndexedTokens(folder / shard.stem).lengths().sum()) / 1e6
    speed = {way: million / seconds[way] for way in ways}
    ours = speed.pop("ours")
    return {
        f"tokenise/{kind}/speed": figure(ours, "Mtokens/s", **speed),
        f"tokenise/{kind}_times_as_fast": figure(ours / speed["datasets_map"], "x", least=1.5),
    }


def _padding(tokens_N: np.ndarray[tuple[int], np.dtype[np.int64]]) -> dict[str, object]:
    first_S1, pieces = pack(tokens_N, _SEQ_LEN)
    padding = 1 - int(pieces["length"].sum(dtype=np.int64)) / ((len(first_S1) - 1) * _SEQ_LEN)
    return figure(padding, "share", limit=0.01, million_tokens=int(tokens_N.sum()) / 1e6)


def _mapped(base: Path, folder: Path, shard: Path, settings: dict[str, bool]) -> Callable[[], object]:
    tokenizer = PreTrainedTokenizerFast.from_pretrained(base)
    end = tokenizer.eos_token_id

    def encode(rows: dict[str, list[str]]) -> dict[str, list[list[int]]]:
        encoded = tokenizer(rows["text"], add_special_tokens=False, **settings)
        return {name: [[*one, end if name == "input_ids" else 1] for one in encoded[name]] for name in encoded}

    rows = datasets.Dataset.from_parquet(str(shard), cache_dir=str(folder / "cache"))
    return lambda: rows.map(encode, batched=True, remove_columns=["text"], load_from_cache_file=False)


def _cpu_seconds(ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Least CPU time of each, in turn: others on the machine only ever add time."""
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(_ROUNDS):
        for name, work in ways.items():
            started = time.process_time()
            work()
            least[name] = min(least[name], time.process_time() - started)
    return least
