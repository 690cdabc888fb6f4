"""Speed of a training step of the engine `single`, beside a bare torch loop over the same model and tokens."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.figures import Figures, best_seconds, figure
from configs.schema.pretrain import Optim, Parallel
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.engines.base import EngineSpec, Group, Limits
from pretrain.engines.build import build_engine
from pretrain.hf_weights import write_weights
from pretrain.micro_batch import NO_LABEL, MicroBatch

_TOKENS, _VOCABULARY = 1024, 8192
_RATES: dict[Group, float] = {"matrices": 1e-4, "vectors": 1e-4, "embeddings": 1e-4, "new_rows": 1e-4}


def measure() -> Figures:
    """Tokens per second of forward, backward and update, on one document of 1,024 tokens."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=512,
        intermediate_size=1408,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=4,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).to(device)  # type: ignore[arg-type]  # transformers mistypes `to`
    tokens_T = torch.randint(0, _VOCABULARY, (_TOKENS,), generator=torch.Generator().manual_seed(0))
    with tempfile.TemporaryDirectory() as folder:
        write_weights(Path(folder), dict(model.named_parameters()))
        config.save_pretrained(folder)
        spec = EngineSpec(Path(folder), _VOCABULARY, _VOCABULARY, "all", Optim(), Parallel())
        engine = build_engine("single", spec)
        engine.load_state(HfFolderReader(Path(folder)), 0)
        batch = _one_document(tokens_T)
        ours = best_seconds(lambda: engine.train_step([batch], _RATES, Limits(1e9)))
    bare = best_seconds(_bare_step(model, tokens_T.to(device)))
    figures = figure(_TOKENS / ours, "tokens/s", bare_torch_loop=_TOKENS / bare)
    figures["device"] = torch.cuda.get_device_name() if device.type == "cuda" else "CPU"
    return {"training/single": figures}


def _one_document(tokens_T: torch.Tensor) -> MicroBatch:
    labels_T = torch.roll(tokens_T, -1)
    labels_T[-1] = NO_LABEL
    bounds = torch.tensor([0, _TOKENS], dtype=torch.int32)
    return MicroBatch(tokens_T, labels_T, torch.arange(_TOKENS), bounds, torch.zeros(_TOKENS, dtype=torch.int64))


def _bare_step(model: LlamaForCausalLM, tokens_T: torch.Tensor) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        logits = model(tokens_T[None], use_cache=False).logits[0, :-1]
        cross_entropy(logits, tokens_T[1:]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if tokens_T.is_cuda:
            torch.cuda.synchronize()

    return step
