"""Tiny models of every family and ragged batches: what engines are compared on.

Shapes: H hidden.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

from pretrain.hf_weights import write_weights

OLD_ROWS, NEW_ROWS = 131, 6
MICRO_BATCHES = 4

_SIZES: Mapping[str, Any] = {
    "vocab_size": OLD_ROWS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
    "initializer_range": 0.1,
}


def save_model(folder: Path, model_type: str = "llama", *, new_rows: int = NEW_ROWS, **changes: Any) -> None:
    """An HF folder of a model drawn from a fixed seed, and `new_rows.safetensors` with embeddings to graft on it.

    Args:
        new_rows: how many.
        changes: settings of its config.json that differ from the usual small ones.
    """
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **{**_SIZES, **changes})
    model = AutoModelForCausalLM.from_config(config)
    for name, parameter in model.named_parameters():
        if name.endswith(("bias", "q_norm.weight", "k_norm.weight")):
            # A fresh model's biases are zero and its norms one: exchanged or missing ones would go unseen.
            torch.nn.init.normal_(parameter, mean=float(name.endswith("weight")), std=0.3)
    write_weights(folder, dict(model.named_parameters()))
    config.save_pretrained(folder)
    names = ["model.embed_tokens.weight"] + ([] if config.tie_word_embeddings else ["lm_head.weight"])
    save_file(
        {name: torch.randn(new_rows, config.hidden_size) * 0.1 for name in names}, folder / "new_rows.safetensors"
    )


def training_batches(steps: int, generator: torch.Generator, *, packed: bool = True) -> dict[str, torch.Tensor]:
    """Micro-batches of so many steps: documents of three sources, padding, and once nothing to predict at all.

    Args:
        packed: several documents in each micro-batch and padding behind them; otherwise one document and nothing else.
    """
    tensors: dict[str, torch.Tensor] = {}
    for step in range(steps):
        for micro in range(MICRO_BATCHES):
            # Every other step its micro-batches are of one length, as in training, and else of several.
            length, name = 48 if step % 2 else 40 + 5 * micro, f"step{step}/{micro}"
            tensors |= (
                micro_batch(name, length, generator) if packed else documents(name, [length], [micro % 3], generator)
            )
    if "step8/3/labels" in tensors:
        tensors["step8/3/labels"][:] = -100
    return tensors


def micro_batch(name: str, length: int, generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Documents of any length, of three sources, with padding at the end."""
    cuts = torch.randperm(length - 6, generator=generator)[:3].sort().values + 1
    bounds = [0, *cuts.tolist(), length - 3, length]
    lengths = [end - start for start, end in itertools.pairwise(bounds)]
    tensors = documents(name, lengths, [0, 1, 2, 1, 0], generator)
    tensors[f"{name}/labels"][length - 3 :] = -100
    return tensors


def documents(name: str, lengths: list[int], sources: list[int], generator: torch.Generator) -> dict[str, torch.Tensor]:
    """A micro-batch of documents of these lengths and sources."""
    tokens = torch.randint(0, OLD_ROWS + NEW_ROWS, (sum(lengths),), generator=generator)
    labels = torch.roll(tokens, -1)
    bounds = torch.tensor([0, *lengths]).cumsum(0)
    labels[bounds[1:] - 1] = -100
    return {
        f"{name}/tokens": tokens,
        f"{name}/labels": labels,
        f"{name}/positions": torch.cat([torch.arange(length) for length in lengths]),
        f"{name}/cu_seqlens": bounds.to(torch.int32),
        f"{name}/source": torch.repeat_interleave(torch.tensor(sources), torch.tensor(lengths)),
    }


def every_label(name: str, tokens_N: torch.Tensor, lengths: list[int]) -> dict[str, torch.Tensor]:
    """A micro-batch that asks for the log-probability of every token of the vocabulary at every position.

    It is the same documents once per token of the vocabulary, with that token as the label of all positions; each
    position of each copy is a source of its own, number copy * N + position.

    Args:
        tokens_N: all documents behind each other.
        lengths: of the documents.
    """
    copies, total = OLD_ROWS + NEW_ROWS, len(tokens_N)
    return {
        f"{name}/0/tokens": tokens_N.repeat(copies),
        f"{name}/0/labels": torch.arange(copies).repeat_interleave(total),
        f"{name}/0/positions": torch.cat([torch.arange(length) for length in lengths]).repeat(copies),
        f"{name}/0/cu_seqlens": torch.tensor([0, *lengths * copies]).cumsum(0).to(torch.int32),
        f"{name}/0/source": torch.arange(copies * total),
    }
