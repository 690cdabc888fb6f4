"""Speed of a training step with each engine, beside a bare torch loop over the same model and tokens."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from benchmarks.figures import Figures, best_seconds, figure
from benchmarks.one_llama import Size, take_step
from configs.schema.pretrain import EngineName
from pretrain import hardware
from pretrain.flops import ModelFlops, causal_pairs, utilisation

_ENGINES: tuple[EngineName, ...] = ("single", "deepspeed", "megatron")
_ON_CPU = (Size("0.03B", 512, 1408, 8, 8, 4, 8192, 1024),)
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
    bare_s = best_seconds(_bare_step(size, folder))
    flops = ModelFlops.of(size.config()).of_step(size.tokens, causal_pairs([0, size.tokens]))
    peak = hardware.peak_flops()
    figures: Figures = {}
    for name in _ENGINES:
        if name != "single" and find_spec(name) is None:
            continue
        ours_s = _engine_seconds(name, size, folder)
        figures[f"pretrain/{name}_{size.name}"] = figure(
            size.tokens / ours_s,
            "tokens/s",
            bare_torch_loop=size.tokens / bare_s,
            **({} if peak is None else {"model_flops_utilisation": utilisation(flops, ours_s, 1, peak)}),
        )
    return figures


def _engine_seconds(name: EngineName, size: Size, folder: Path) -> float:
    engine = size.engine(name, folder)
    tokens_T = size.text()
    seconds = best_seconds(lambda: take_step(engine, tokens_T))
    engine.close()
    return seconds


def _bare_step(size: Size, folder: Path) -> Callable[[], None]:
    """A step of the loop that one would write by hand; leaves the model's folder."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model: LlamaForCausalLM = size.written(folder)
    model.to(device)  # type: ignore[arg-type]  # transformers mistypes `to`
    tokens_T = size.text().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    in_bf16 = size.precision == "bf16"

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16) if in_bf16 else contextlib.nullcontext():
            logits = model(tokens_T[None], use_cache=False).logits[0, :-1]
            loss = cross_entropy(logits.float(), tokens_T[1:])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if tokens_T.is_cuda:
            torch.cuda.synchronize()

    return step
