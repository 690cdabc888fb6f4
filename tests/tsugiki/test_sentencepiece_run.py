"""A whole run on a base whose tokenizer is a SentencePiece model alone: corpus to an export that can be fine-tuned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from configs.artifact import Artifact
from pretrain.document_format import DocumentFormat
from tests.tiny import write_documents, write_run_file
from tests.tokenizer.sp_models import V1, trained
from tests.tsugiki.conftest import tsugiki
from tokenizer.sp_model import SpModel


def mistral() -> SpModel:
    """Mistral 7B v0.1's, which is SentencePiece BPE."""
    return SpModel.read(V1)


def unigram() -> SpModel:
    """A small one in llm-jp's layout."""
    return trained("unigram")


def write_base(folder: Path, model: SpModel) -> None:
    """A Llama of random weights that begins texts with <s>, and its tokenizer.model."""
    config = LlamaConfig(
        vocab_size=len(model.pieces),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    (folder / "tokenizer.model").write_bytes(model.serialised())
    settings = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False, "legacy": True}
    settings |= {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "</s>", "model_max_length": 256}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


@pytest.mark.slow
@pytest.mark.parametrize("model", [mistral, unigram])
def test_a_run_on_a_sentencepiece_base_exports_what_it_trained(tmp_path: Path, model: Callable[[], SpModel]) -> None:
    write_base(tmp_path / "base", model())
    write_documents(tmp_path)
    (tmp_path / "ja" / "literal.txt").write_text("点検の結果は</s>と書いて終える。" * 3)
    path = write_run_file(tmp_path)
    path.write_text(path.read_text().replace("  end_of_document: <|endoftext|>\n", ""))
    done = tsugiki("run", str(path), "--set", "pretrain.stages.all.tokens=1024")
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "run" / "model" / "hf"
    loaded, theirs = AutoTokenizer.from_pretrained(folder), SentencePieceProcessor(str(folder / "tokenizer.model"))
    form = DocumentFormat.from_folder(folder, None)
    assert len(loaded) == theirs.vocab_size() == form.tokenizer.size == len(model().pieces) + 20
    text = "定量ポンプの点検では、 pump 12"
    assert loaded.encode(text) == [1, *theirs.encode(text)] == form.encode([text])[0][:-1]
    assert len(form.encode([text])[0]) < 2 + len(model().encode(text))
    tokenizer = Artifact.open(tmp_path / "run" / "tokenizer")
    assert "U+2581 becomes a space" in tokenizer.counts["base_exceptions"]["I5"]
    checked = tsugiki("pretrain", "sft-check", str(folder), "--steps", "2", "--lora-only")
    assert checked.returncode == 0, checked.stdout + checked.stderr
