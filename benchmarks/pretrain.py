"""Speed of a training step with each engine, beside a bare torch loop over the same model and tokens."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM

from benchmarks.figures import Figures, best_seconds, figure
from configs.schema.pretrain import Optim, Parallel
from pretrain import hardware
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.engines.base import EngineSpec, Group, Limits
from pretrain.engines.build import build_engine
from pretrain.flops import ModelFlops, causal_pairs, utilisation
from pretrain.hf_weights import write_weights
from pretrain.micro_batch import NO_LABEL, MicroBatch

_ENGINES: tuple[Literal["single", "deepspeed", "megatron"], ...] = ("single", "deepspeed", "megatron")
_RATES: dict[Group, float] = {"matrices": 1e-4, "vectors": 1e-4, "embeddings": 1e-4, "new_rows": 1e-4}


@dataclass(frozen=True)
class Size:
    """A Llama and the step that it is measured with."""

    name: str
    hidden: int
    inner: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int
    tokens: int
    precision: Literal["bf16", "fp32"]

    def config(self) -> LlamaConfig:
        """Its architecture, with a tied embedding."""
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


_ON_CPU = (Size("0.03B", 512, 1408, 8, 8, 4, 8192, 1024, "fp32"),)
_ON_GPU = (
    Size("0.1B", 768, 2048, 16, 12, 4, 49_152, 4096, "bf16"),
    Size("1.2B", 2048, 8192, 16, 32, 8, 128_256, 4096, "bf16"),
    Size("3B", 3072, 8192, 28, 24, 8, 128_256, 4096, "bf16"),
)


def measure() -> Figures:
    """Tokens per second of forward, backward and update, on one document as long as a sequence, on one device."""
    on_gpu = torch.cuda.is_available()
    figures: Figures = {}
    for size in _ON_GPU if on_gpu else _ON_CPU:
        with tempfile.TemporaryDirectory() as folder:
            figures |= _of_size(size, Path(folder))
    for one in figures.values():
        one["device"] = torch.cuda.get_device_name() if on_gpu else "CPU"
    return figures


def _of_size(size: Size, folder: Path) -> Figures:
    tokens_T = torch.randint(0, size.vocabulary, (size.tokens,), generator=torch.Generator().manual_seed(0))
    bare_s = _bare_seconds(size, folder, tokens_T)
    flops = ModelFlops.of(size.config()).of_step(size.tokens, causal_pairs([0, size.tokens]))
    peak = hardware.peak_flops()
    figures: Figures = {}
    for engine in _ENGINES:
        if engine != "single" and find_spec(engine) is None:
            continue
        ours_s = _engine_seconds(engine, size, folder, tokens_T)
        figures[f"pretrain/{engine}_{size.name}"] = figure(
            size.tokens / ours_s,
            "tokens/s",
            bare_torch_loop=size.tokens / bare_s,
            **({} if peak is None else {"model_flops_utilisation": utilisation(flops, ours_s, 1, peak)}),
        )
    return figures


def _engine_seconds(
    name: Literal["single", "deepspeed", "megatron"], size: Size, folder: Path, tokens_T: torch.Tensor
) -> float:
    spec = EngineSpec(folder, size.vocabulary, size.vocabulary, "all", Optim(), Parallel(), precision=size.precision)
    engine = build_engine(name, spec)
    engine.load_state(HfFolderReader(folder), 0)
    batch = _one_document(tokens_T)
    seconds = best_seconds(lambda: engine.train_step([batch], _RATES, Limits(1e9)))
    engine.close()
    return seconds


def _one_document(tokens_T: torch.Tensor) -> MicroBatch:
    labels_T = torch.roll(tokens_T, -1)
    labels_T[-1] = NO_LABEL
    positions_T = torch.arange(len(tokens_T))
    bounds = torch.tensor([0, len(tokens_T)], dtype=torch.int32)
    return MicroBatch(tokens_T, labels_T, positions_T, bounds, torch.zeros_like(positions_T))


def _bare_seconds(size: Size, folder: Path, tokens_T: torch.Tensor) -> float:
    """Of a step of the loop that one would write by hand; leaves the model's weights in the folder."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = LlamaForCausalLM(size.config())
    write_weights(folder, dict(model.named_parameters()))
    size.config().save_pretrained(folder)
    model.to(device)  # type: ignore[arg-type]  # transformers mistypes `to`
    return best_seconds(_bare_step(model, tokens_T.to(device), size.precision))


def _bare_step(model: LlamaForCausalLM, tokens_T: torch.Tensor, precision: str) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    in_bf16 = torch.autocast(tokens_T.device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()

    def step() -> None:
        optimizer.zero_grad()
        with in_bf16:
            logits = model(tokens_T[None], use_cache=False).logits[0, :-1]
            loss = cross_entropy(logits.float(), tokens_T[1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if tokens_T.is_cuda:
            torch.cuda.synchronize()

    return step
