"""A model's logits with the weights of one layer in memory at a time, so that no machine is too small for the gate.

Shapes: T tokens of a document, H hidden, V vocabulary rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from transformers import AutoModelForCausalLM, PretrainedConfig

Read = Callable[[str], torch.Tensor]
"""float32 values of a tensor by HF name."""

_EMBEDDING, _HEAD = "model.embed_tokens.", "lm_head."


@torch.no_grad()  # as a decorator it does not reach into who asks for the next document
def logits(
    config: PretrainedConfig,
    attention: str,
    read: Read,
    documents: Sequence[Sequence[int]],
    of_document: Callable[[int], dict[str, Any]],
) -> Iterator[torch.Tensor]:
    """Run transformers' own layers, each over all documents before the next is read.

    Args:
        attention: name of the attention in transformers.
        of_document: what an attention needs besides, by the document's length.
    Yields:
        Shape (T, V), float32, document by document.
    """
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32)
    model.eval()
    core = model.base_model
    rotary = type(core.rotary_emb)(config)  # its frequencies are no weights, and are computed for real

    def run(module: nn.Module, prefix: str, weights: dict[str, torch.Tensor], *inputs: Any, **more: Any) -> Any:
        if not weights:
            weights.update({name: read(prefix + name) for name, _ in module.named_parameters()})
        return functional_call(module, weights, inputs, more)

    weights: dict[str, torch.Tensor] = {}
    tokens = [torch.tensor([ids]) for ids in documents]
    hidden = [run(core.embed_tokens, _EMBEDDING, weights, ids) for ids in tokens]
    for number, layer in enumerate(core.layers):
        weights = {}
        for at, state in enumerate(hidden):
            positions = torch.arange(state.shape[1])[None]
            around = {"position_ids": positions, "position_embeddings": rotary(state, positions)}
            more = around | of_document(state.shape[1])
            hidden[at] = run(layer, f"model.layers.{number}.", weights, state, use_cache=False, **more)
    weights = {}
    hidden = [run(core.norm, "model.norm.", weights, state) for state in hidden]
    weights = {}
    head = _EMBEDDING if config.tie_word_embeddings else _HEAD
    for state in hidden:
        yield run(model.lm_head, head, weights, state)[0]


def causal_mask(length: int) -> dict[str, torch.Tensor]:
    """What transformers' eager attention is given: 0 where a position may look, else the least float; (1, 1, T, T)."""
    least = torch.finfo(torch.float32).min
    return {"attention_mask": torch.full((length, length), least).triu(1)[None, None]}
