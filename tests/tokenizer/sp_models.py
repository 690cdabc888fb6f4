"""SentencePiece models, small enough to be trained in a test, in the layouts that bases have."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import mistral_common
import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from sentencepiece import SentencePieceTrainer

from tests.tokenizer.conftest import ENGLISH, JAPANESE
from tokenizer.compiled import Compiled
from tokenizer.extendable import Extendable, Extension
from tokenizer.learn import extend
from tokenizer.sp_bpe import SpBpe
from tokenizer.sp_definition import definition_of
from tokenizer.sp_model import SpModel
from tokenizer.sp_unigram import SpUnigram
from tokenizer.units import count_units, to_batch

MISTRAL = Path(mistral_common.__file__).parent / "data"
V1, V3 = MISTRAL / "tokenizer.model.v1", MISTRAL / "mistral_instruct_tokenizer_240323.model.v3"
"""Real ones: Mistral 7B v0.1's and v0.3's."""

# A word whose characters the training text has too seldom to be pieces, a word for the space that no text has, runs
# of spaces, what looks like a special token or a byte, and a character beyond the first plane.
FRAGMENTS = (
    *("点検", "ポンプ", "の", "弁", "定量", "量", "較正", "を", "、", "。", "𠮷", "か\u3099", "ｱ", "é"),
    *(" ", "  ", "    ", "\u2581", "\u3000", "\t", "\n", "\x00"),
    *("pump", "valve", "12", "a", "=", "<s>", "</s>", "<unk>", "<0x0A>", "def f(x):\n    return x"),
)


TEXTS = [
    "定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。",
    "点検表に結果を記入して課長に渡す。較正の結果は品質保証課が保管する。Check valve 12.",
] * 4
ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
MIXED = st.lists(st.sampled_from(FRAGMENTS), max_size=20).map("".join)


def learned(base: Extendable, budget: int = 60, min_count: int = 2) -> Extension:
    """What the texts teach a base."""
    return extend(base, [to_batch(count_units(TEXTS, base))], budget, min_count)


def trained(algorithm: str, **changes: Any) -> SpModel:
    """A model of mostly English text and a little Japanese, as a base's."""
    content = io.BytesIO()
    settings: dict[str, Any] = {"vocab_size": 380, "character_coverage": 0.98, "byte_fallback": True}
    settings |= {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "hard_vocab_limit": False}
    SentencePieceTrainer.train(
        sentence_iterator=iter([*ENGLISH, *JAPANESE[:2]]),
        model_writer=content,
        model_type=algorithm,
        num_threads=1,
        minloglevel=2,
        **(settings | changes),
    )
    return SpModel(content.getvalue(), "trained.model")


def sp_bpe(**changes: Any) -> SpBpe:
    """A SentencePiece BPE of one model."""
    model = trained("bpe", **changes)
    return SpBpe(definition_of(model, {}), "the base of a test", model)


def sp_unigram(**changes: Any) -> SpUnigram:
    """A SentencePiece Unigram of one model."""
    model = trained("unigram", **changes)
    return SpUnigram(definition_of(model, {}), "the base of a test", model)


def assert_same_ids(tokenizer: Extendable, encoder: Compiled, texts: list[str]) -> None:
    """The compiled tokenizer gives each text the ids that the library gives it."""
    ids_T, count_N = encoder.encode(pa.array(texts, pa.large_string()))
    ours = [ids.tolist() for ids in np.split(ids_T, np.cumsum(count_N)[:-1])]
    # One text at a time: a difference of everything takes pytest minutes to print.
    for text, ids in zip(texts, ours, strict=True):
        assert (text, ids) == (text, tokenizer.encode(text))
