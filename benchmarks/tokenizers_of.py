"""Tokenizers of each kind to measure with: real ones where a package has them, else trained in a published layout."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import mistral_common
from sentencepiece import SentencePieceTrainer
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from tokenizer.byte_alphabet import to_piece
from tokenizer.known_words import SPLITS
from tokenizer.sp_definition import definition_of
from tokenizer.sp_model import SpModel

_END = "<|endoftext|>"
_SIZE = 32_000
_UNIGRAM_SIZE, _UNIGRAM_LINES = 8_000, 12_000
_TEKKEN_SPECIAL, _TEKKEN_SIZE = 1000, 131_072


def write_folder(folder: Path, definition: dict[str, Any], end: str = _END) -> Path:
    """A Hugging Face folder with a tokenizer and nothing else."""
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(definition, ensure_ascii=False))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": end}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


def trained(layout: str, texts: list[str]) -> dict[str, Any]:
    """A tokenizer of 32,000 tokens in Llama 3's or Qwen's layout."""
    tokenizer = Tokenizer(models.BPE())
    if layout == "qwen":
        tokenizer.normalizer = normalizers.NFC()
    _cut(tokenizer, layout)
    trainer = trainers.BpeTrainer(
        vocab_size=_SIZE,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(_END, special=True)],
        show_progress=False,
        max_token_length=24,
    )
    tokenizer.train_from_iterator(texts, trainer)
    definition: dict[str, Any] = json.loads(tokenizer.to_str())
    definition["model"]["ignore_merges"] = layout == "llama3"
    return definition


def tekken() -> dict[str, Any]:
    """Mistral's, of which a package holds the tokens in the order of their ranks, as a tokenizer.json of merges."""
    file = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    stored = json.loads(file.read_text())["vocab"][: _TEKKEN_SIZE - _TEKKEN_SPECIAL]
    ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in stored}
    vocab = {to_piece(content): rank for content, rank in ranks.items()}
    parts = [_parts(content, ranks) for content in ranks if len(content) > 1]
    merges = [(to_piece(left), to_piece(right)) for left, right in parts]
    tokenizer = Tokenizer(models.BPE(vocab, merges, ignore_merges=True))
    _cut(tokenizer, "tekken")
    tokenizer.add_special_tokens([AddedToken(_END, special=True)])
    definition: dict[str, Any] = json.loads(tokenizer.to_str())
    return definition


def mistral() -> dict[str, Any]:
    """Mistral 7B v0.1's, of which a package holds the SentencePiece model, as a tokenizer.json."""
    return definition_of(SpModel.read(Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1"), {})


def unigram(texts: list[str]) -> dict[str, Any]:
    """A SentencePiece Unigram of 8,000 pieces in llm-jp's layout, as a tokenizer.json."""
    content = io.BytesIO()
    lines = [line for text in texts for line in text.split("\n") if line]
    SentencePieceTrainer.train(
        sentence_iterator=iter(lines[:_UNIGRAM_LINES]),
        model_writer=content,
        model_type="unigram",
        vocab_size=_UNIGRAM_SIZE,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        num_sub_iterations=1,
        minloglevel=2,
    )
    return definition_of(SpModel(content.getvalue(), "unigram"), {})


def _cut(tokenizer: Tokenizer, layout: str) -> None:
    split = pre_tokenizers.Split(Regex(SPLITS[layout][0]), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()


def _parts(content: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two tokens that tokens of lower rank leave of a token's bytes."""
    parts = [bytes([byte]) for byte in content]
    while len(parts) > 2:
        best = min(range(len(parts) - 1), key=lambda at: ranks.get(parts[at] + parts[at + 1], len(ranks)))
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts[0], parts[1]
