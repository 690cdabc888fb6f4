"""Speed of a training step with each engine beside a bare torch loop of the same model, and what it waits for."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from benchmarks.checkpoint import beside_a_save
from benchmarks.figures import Figures, best_seconds, figure
from benchmarks.one_llama import Size, take_step, train_on
from benchmarks.packed_text import loader
from configs.errors import UserError
from configs.schema.pretrain import EngineName
from pretrain import hardware
from pretrain.engines.base import Engine
from pretrain.flops import ModelFlops, causal_pairs, utilisation
from pretrain.loader import Loader
from pretrain.prefetch import Prefetch

_FED_STEPS = 5
_MOST_WAITING = 0.02
"""Share of steps; a loader that is this slow is one that training waits for."""
_ENGINES: tuple[EngineName, ...] = ("single", "deepspeed", "megatron")
_SIZES = (
    Size("0.1B", 768, 2048, 16, 12, 4, 49_152, 4096, "bf16"),
    Size("0.4B", 960, 2560, 32, 15, 5, 49_152, 4096, "bf16"),
    Size("1.2B", 2048, 8192, 16, 32, 8, 128_256, 4096, "bf16"),
    Size("3B", 3072, 8192, 28, 24, 8, 128_256, 4096, "bf16"),
)
"""The larger ones are of the shapes of SmolLM2-360M, Llama 3.2 1B and 3B."""
_TOKENS_ON_CPU = 1024
ON_GPU = _SIZES
ON_CPU = (
    Size("0.03B", 512, 1408, 8, 8, 4, 8192, _TOKENS_ON_CPU),
    *(replace(size, tokens=_TOKENS_ON_CPU, precision="fp32") for size in _SIZES),
)

BYTES_ON_CPU = 28
"""Of each parameter: float32 weight, gradient and moments, and weight and moments again while a checkpoint is
written."""


def measure(sizes: Sequence[str] | None = None) -> Figures:
    """Of each engine, on one device: how fast it trains, and how long it waits for data and for checkpoints.

    Tokens per second are of forward, backward and update on one document as long as a sequence. Waiting for data is a
    share of the time of steps that are fed as in training, from packed files by a thread, beside what it would be if
    each step prepared its own. The stall of a checkpoint is the time until the next step begins, in such steps.

    Args:
        sizes: names of models; without them all on a GPU, the smallest on CPU.
    Raises:
        UserError: if the device has no model of such a name, or a CPU's machine too little memory for it.
    """
    on_gpu = torch.cuda.is_available()
    there = ON_GPU if on_gpu else ON_CPU
    names = sizes or [size.name for size in (there if on_gpu else there[:1])]
    if unknown := set(names) - {size.name for size in there}:
        raise UserError(f"no model {min(unknown)} for this device; there are {', '.join(size.name for size in there)}")
    wanted = [size for size in there if size.name in names]
    if not on_gpu:
        refuse_too_large(wanted, _available_bytes())
    figures: Figures = {}
    for size in wanted:
        with tempfile.TemporaryDirectory() as folder:
            figures |= _of_size(size, Path(folder))
    for one in figures.values():
        one["device"] = torch.cuda.get_device_name() if on_gpu else "CPU"
    return figures


def refuse_too_large(sizes: Sequence[Size], available: int) -> None:
    """See that each model can be trained on a CPU, before any is.

    Args:
        available: bytes of memory.
    Raises:
        UserError: for the first that needs more.
    """
    for size in sizes:
        needed = BYTES_ON_CPU * size.parameters()
        if needed > available:
            raise UserError(
                f"{size.name} takes {needed / 1e9:.0f} GB on a CPU, {available / 1e9:.0f} GB are available; "
                "take smaller ones, or a machine with a GPU"
            )


def _available_bytes() -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _of_size(size: Size, folder: Path) -> Figures:
    bare_s = best_seconds(_bare_step(size, folder))
    flops = ModelFlops.of(size.config()).of_step(size.tokens, causal_pairs([0, size.tokens]))
    peak = hardware.peak_flops()
    figures: Figures = {}
    for name in _ENGINES:
        if name != "single" and find_spec(name) is None:
            continue
        measured = _measured(name, size, folder)
        what = f"pretrain/{name}_{size.name}"
        figures[what] = figure(
            size.tokens / measured.step_s,
            "tokens/s",
            bare_torch_loop=size.tokens / bare_s,
            **({} if peak is None else {"model_flops_utilisation": utilisation(flops, measured.step_s, 1, peak)}),
        )
        figures[f"{what}_data_wait"] = figure(
            measured.data_wait, "share", limit=_MOST_WAITING, prepared_in_the_step=measured.unprepared
        )
        stall = measured.stall_s / measured.step_s
        figures[f"{what}_checkpoint_stall"] = figure(stall, "steps", step_seconds=measured.step_s)
    return figures


@dataclass(frozen=True)
class _Measured:
    """Of one engine."""

    step_s: float
    data_wait: float
    """Share of the time of steps, 0 to 1."""
    unprepared: float
    """The same if nothing were prepared ahead."""
    stall_s: float
    """From the begin of a save until training goes on."""


def _measured(name: EngineName, size: Size, folder: Path) -> _Measured:
    engine = size.engine(name, folder)
    tokens_T = size.text()

    def step() -> None:
        take_step(engine, tokens_T)

    step_s = best_seconds(step)
    data = loader(folder, size.vocabulary, size.tokens)
    waited_s, fed_s = _fed(engine, data)
    prepare_s = best_seconds(lambda: data.micro_batches(_FED_STEPS + 1, (0, 1)))
    with tempfile.TemporaryDirectory() as saves:
        stall_s, _ = beside_a_save(engine, Path(saves) / "checkpoints", step)
    engine.close()
    return _Measured(step_s, waited_s / fed_s, prepare_s / (prepare_s + step_s), stall_s)


def _fed(engine: Engine, data: Loader) -> tuple[float, float]:
    """Seconds that steps waited for their micro-batches, and that they took; the first, which has to, is left out."""
    waited_s, began = 0.0, 0.0
    with Prefetch(lambda step: data.micro_batches(step, (0, 1)), _FED_STEPS + 1) as batches_of:
        for step in range(_FED_STEPS + 1):
            asked = time.perf_counter()
            batches = batches_of.take(step)
            if step == 0:
                train_on(engine, batches)
                began = time.perf_counter()
            else:
                waited_s += time.perf_counter() - asked
                train_on(engine, batches)
    return waited_s, time.perf_counter() - began


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
