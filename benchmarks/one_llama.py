"""A Llama with random weights and a document as long as a sequence: what steps of training are timed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from configs.schema.pretrain import EngineName, Optim, Parallel
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.engines.base import Engine, EngineSpec, Group, Limits
from pretrain.engines.build import build_engine
from pretrain.hf_weights import write_weights
from pretrain.micro_batch import NO_LABEL, MicroBatch

_RATES: dict[Group, float] = {"matrices": 1e-4, "vectors": 1e-4, "embeddings": 1e-4, "new_rows": 1e-4}


@dataclass(frozen=True)
class Size:
    """A Llama with a tied embedding, and the step that it is timed with."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tokens: int
    precision: Literal["bf16", "fp32"] = "fp32"

    def config(self) -> LlamaConfig:
        """Its architecture."""
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.hidden,
            intermediate_size=self.inner,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads,
            max_position_embeddings=self.tokens,
            tie_word_embeddings=True,
        )

    def parameters(self) -> int:
        """How many it has, a tied one once."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in LlamaForCausalLM(self.config()).parameters())

    def written(self, folder: Path) -> LlamaForCausalLM:
        """The model, whose HF folder this leaves."""
        config = self.config()
        model = LlamaForCausalLM(config)
        write_weights(folder, dict(model.named_parameters()))
        config.save_pretrained(folder)
        return model

    def engine(self, name: EngineName, folder: Path) -> Engine:
        """An engine on this process, with the weights of the folder."""
        spec = EngineSpec(
            folder, self.vocabulary, self.vocabulary, "all", Optim(), Parallel(), precision=self.precision
        )
        engine = build_engine(name, spec)
        engine.load_state(HfFolderReader(folder), 0)
        return engine

    def text(self) -> torch.Tensor:
        """Tokens of the document, of shape (tokens,)."""
        return torch.randint(0, self.vocabulary, (self.tokens,), generator=torch.Generator().manual_seed(0))


def take_step(engine: Engine, tokens_T: torch.Tensor) -> None:
    """Forward, backward and update on one document."""
    labels_T = torch.roll(tokens_T, -1)
    labels_T[-1] = NO_LABEL
    positions_T = torch.arange(len(tokens_T))
    bounds = torch.tensor([0, len(tokens_T)], dtype=torch.int32)
    train_on(engine, [MicroBatch(tokens_T, labels_T, positions_T, bounds, torch.zeros_like(positions_T))])


def train_on(engine: Engine, micro_batches: Sequence[MicroBatch]) -> None:
    """Forward, backward and update on micro-batches."""
    engine.train_step(micro_batches, _RATES, Limits(1e9))
