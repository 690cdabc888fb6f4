"""A whole run in small: some documents, a trained byte-level BPE, a Llama of two layers; real parts, in seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

from configs.load import load
from configs.schema.run import Run

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")

JAPANESE = (
    "定量ポンプの点検では、最初に電源を切り、次に弁を閉じる。",
    "流量センサーの校正は年に一度行い、結果は品質保証課が保管する。",
    "本日の会議では、ポンプの不具合について報告があった。",
    "出荷の前には、点検表に結果を記入して課長の確認を受ける。",
    "弁を閉じる前に、電源を切ってください。",
)
ENGLISH = (
    "The pump moves a small amount of liquid with every stroke.",
    "Check the valve, the hose and the seal before you start it again.",
    "Last year the factory built many pumps and sensors.",
)

_RUN_FILE = """\
run: {{name: tiny, dir: {root}/run, seed: 5}}
corpus:
  sources:
    inhouse: {{path: {root}/ja, language: ja, license: Apache-2.0}}
    english: {{path: {root}/en, language: en}}
  held_out: {{share: 0.2}}
  decontaminate: {{held_out: false}}  # every sentence of these stands in several
  dedup: {{lines: null, threshold: 1.0}}
tokenizer: {{add: 20, min_count: 3}}
pretrain:
  base: {root}/base
  end_of_document: <|endoftext|>
  precision: fp32
  seq_len: 64
  batch_tokens: 256
  stages:
    all: {{tokens: 3072, mixture: {{inhouse: 0.8, english: 0.2}}}}
  optim: {{lr: 5.0e-3, new_rows_lr: 3, warmup_tokens: 512}}
  checkpoint: {{every_steps: 4}}
  evaluate: {{every_steps: 6, samples: {{tokens: 4, prompts: [ポンプの, The pump]}}}}
export: {{dtype: float32, prompts: [ポンプの], continuation_tokens: 8}}
"""


def tokenizer_definition() -> dict[str, Any]:
    """A byte-level BPE with single digits, as SmolLM2's, trained on a little English."""
    tokenizer = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        show_progress=False,
    )
    tokenizer.train_from_iterator(ENGLISH * 5, trainer)
    definition: dict[str, Any] = json.loads(tokenizer.to_str())
    return definition


def write_base(folder: Path, *, tied: bool = True) -> Path:
    """A Hugging Face folder with a Llama of random weights and its tokenizer."""
    torch.manual_seed(0)
    definition = tokenizer_definition()
    config = LlamaConfig(
        vocab_size=len(definition["model"]["vocab"]),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(definition, ensure_ascii=False))
    settings: dict[str, Any] = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 256}
    settings |= {"bos_token": SPECIAL[1], "eos_token": SPECIAL[2], "pad_token": SPECIAL[2]}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def write_documents(root: Path, count: int = 14) -> None:
    """Japanese and English text files, all different."""
    for folder in ("ja", "en"):
        (root / folder).mkdir(parents=True)
    for number in range(count):
        japanese = "".join(
            f"{JAPANESE[(number * k + k) % len(JAPANESE)]}番号は{number}の{k}です。" for k in range(1, 6)
        )
        (root / "ja" / f"{number:02}.txt").write_text(japanese)
        english = " ".join(f"{ENGLISH[(number + k) % len(ENGLISH)]} It is part {number * k + 1}." for k in range(3))
        (root / "en" / f"{number:02}.txt").write_text(english)


def write_run_file(root: Path) -> Path:
    """The run file over documents and base below `root`."""
    path = root / "run.yaml"
    path.write_text(_RUN_FILE.format(root=root))
    return path


def tiny_run(root: Path, *overrides: str) -> Run:
    """The whole setting, made where it is not there yet."""
    if not (root / "base").exists():
        write_base(root / "base")
        write_documents(root)
        write_run_file(root)
    return load(root / "run.yaml", Run, overrides)
