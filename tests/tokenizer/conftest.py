"""Real byte-level BPE tokenizers, small enough to be trained in a test, in the layouts the big ones have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tokenizer.byte_bpe import ByteBpe
from tokenizer.known_words import SPLITS

ENGLISH = [
    "The pump moves a small amount of liquid with every stroke of its diaphragm.",
    "Check the valve, the hose and the seal before you start the pump again.",
    "def measure(flow, time):\n    return flow * time  # litres\n",
    "In 2024 the factory built 1,250 pumps and 310 sensors.",
] * 5
JAPANESE = [
    "定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。",
    "ポンプの点検が終わったら、点検表に結果を記入して課長に渡す。",
    "弁を閉じる前に、電源を切ってください。点検の結果はポンプごとに記入します。",
    "流量センサーの校正は年に一度行う。校正の結果は品質保証課が保管する。",
    "本日の会議では、ポンプの不具合について品質保証課から報告があった。",
] * 4
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def _train(pre_tokenizer: Any, normalizer: Any = None) -> dict[str, Any]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        show_progress=False,
    )
    # Mostly English, with a little Japanese: whole characters for some kana, bytes for the rest, as real bases have.
    tokenizer.train_from_iterator([*ENGLISH, *JAPANESE[:2]], trainer)
    definition: dict[str, Any] = json.loads(tokenizer.to_str())
    return definition


def _gpt2() -> dict[str, Any]:
    return _train(pre_tokenizers.ByteLevel(add_prefix_space=False))


def _smollm2() -> dict[str, Any]:
    digits = pre_tokenizers.Digits(individual_digits=True)
    return _train(pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)]))


def _llama3() -> dict[str, Any]:
    split = pre_tokenizers.Split(Regex(SPLITS["llama3"][0]), "isolated")
    definition = _train(
        pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    )
    definition["model"]["ignore_merges"] = True
    # Llama 3's special tokens are not part of the model's vocabulary.
    for token in definition["added_tokens"]:
        del definition["model"]["vocab"][token["content"]]
    shift = len(definition["added_tokens"])
    vocab = definition["model"]["vocab"]
    definition["model"]["vocab"] = {piece: number - shift for piece, number in vocab.items()}
    for number, token in enumerate(definition["added_tokens"], start=len(vocab)):
        token["id"] = number
    return definition


def _qwen() -> dict[str, Any]:
    split = pre_tokenizers.Split(Regex(SPLITS["qwen"][0]), "isolated")
    sequence = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    return _train(sequence, normalizers.NFC())


LAYOUTS: dict[str, Callable[[], dict[str, Any]]] = {
    "gpt2": _gpt2,
    "smollm2: single digits": _smollm2,
    "llama3: ignore_merges, specials outside": _llama3,
    "qwen: NFC": _qwen,
}


@pytest.fixture(scope="session", params=list(LAYOUTS.values()), ids=list(LAYOUTS))
def base(request: pytest.FixtureRequest) -> ByteBpe:
    """A base tokenizer in each layout."""
    return ByteBpe(request.param(), "the base of a test")


@pytest.fixture(scope="session")
def gpt2() -> ByteBpe:
    """A base in the plainest layout."""
    return ByteBpe(_gpt2(), "the base of a test")


@pytest.fixture
def base_folder(tmp_path: Path) -> Path:
    """A Hugging Face folder with the tokenizer files a base has."""
    folder = tmp_path / "base"
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(_smollm2(), ensure_ascii=False))
    config = {
        "tokenizer_class": "GPT2Tokenizer",
        "eos_token": "<|im_end|>",
        "model_max_length": 8192,
        "padding_side": "right",
        "auto_map": {"AutoTokenizer": "evil.py"},
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text("{{ messages }}\n")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text("{{ tools }}\n")
    return folder
