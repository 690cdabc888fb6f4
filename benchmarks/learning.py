"""How long it takes to learn new tokens, beside trainers that learn a vocabulary from scratch on the same text."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from benchmarks.extension import base_of
from benchmarks.figures import Figures, figure
from benchmarks.text import japanese
from corpus.batch import pieces
from tokenizer.extendable import Extendable
from tokenizer.learn import extend
from tokenizer.sorted_runs import merged
from tokenizer.units import UnitCounter, morpheme_cuts

ResultT = TypeVar("ResultT")

_BYTES, _CONTROL = 256, 3
_PIECE_BYTES = 1_000_000


def learning_figures(megabytes: int = 4, new_tokens: int = 4000) -> Figures:
    """Processor seconds for so many tokens: what a machine with nothing else to do would take by one core.

    The others get sentences, as SentencePiece drops what is longer than a few thousand bytes; it has a piece for each
    character beside those. They learn across morphemes, and have no use for MeCab.
    """
    texts = sorted(set(japanese(megabytes)))
    base = base_of(texts)
    extend(base, _counted(base, texts[:1]), 1, 1)  # compiles
    counted, count_s = _timed(lambda: _counted(base, texts))
    extension, learn_s = _timed(lambda: extend(base, counted, new_tokens, 2))
    sentences = [part for text in texts for part in text.replace("。", "。\n").split("\n") if part]
    _, library_s = _timed(lambda: _library(sentences, new_tokens))
    _, sentencepiece_s = _timed(lambda: _sentencepiece(sentences, new_tokens))
    size = sum(len(text.encode()) for text in texts) / 1e6
    _, mecab_s = _timed(lambda: [morpheme_cuts(text) for text in texts])
    from_scratch = {"tokenizers_from_scratch": library_s, "sentencepiece_from_scratch": sentencepiece_s}
    merges = {"tokens": len(extension.tokens), "units": sum(batch.num_rows for batch in counted)}
    return {
        "tokenizer/learn": figure(count_s + learn_s, "s", megabytes=size, of_it_mecab=mecab_s, **from_scratch),
        "tokenizer/learn/merges": figure(learn_s, "s", **merges),
    }


def _counted(base: Extendable, texts: list[str]) -> list[pa.RecordBatch]:
    runs: list[pa.RecordBatch] = []
    counter = UnitCounter(base, runs.append)
    for piece in pieces(pa.array(texts, pa.large_string()), _PIECE_BYTES):
        counter.add(piece)
    return list(merged([[run] for run in (*runs, counter.take())]))


def _timed(work: Callable[[], ResultT]) -> tuple[ResultT, float]:
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def _library(sentences: list[str], new_tokens: int) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=_BYTES + new_tokens, initial_alphabet=alphabet, show_progress=False, min_frequency=2
    )
    tokenizer.train_from_iterator(sentences, trainer)


def _sentencepiece(sentences: list[str], new_tokens: int) -> None:
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=io.BytesIO(),
        model_type="bpe",
        vocab_size=len(set("".join(sentences))) + _BYTES + _CONTROL + new_tokens,
        byte_fallback=True,
        character_coverage=1.0,
        num_threads=1,
        minloglevel=2,
    )
