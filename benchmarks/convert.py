"""What a conversion costs beside `cp` of the same bytes, and how much memory it takes.

Memory that nobody used for a while costs a virtual machine more than the writing itself, and memory that was freed a
moment ago does not; so before each of them the machine rests, and all begin alike.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig

from benchmarks.figures import Figures, figure
from pretrain.checkpoint.boxes import Box
from pretrain.convert.model import Model
from pretrain.hf_weights import described, write_weights

_SPEED = 0.5
"""Least share of the speed of `cp`, of enough bytes to tell it."""
_TELLING_GIGABYTES = 4.0
_REST_S = 5.0


def measure(gigabytes: float = 0.1) -> Figures:
    """Float32 weights of a Llama with as many layers as the size takes.

    Args:
        gigabytes: of the weights.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        model = _generate(root / "hf", gigabytes)
        total = sum(path.stat().st_size for path in (root / "hf").iterdir())
        largest = max(4 * math.prod(shape) for shape in model.shapes.values())
        figures: Figures = {}
        for name, source, to in (("to_checkpoint", "hf", "checkpoint"), ("to_hf", "checkpoint", "back")):
            taken = list(_rounds(root, source, to, rounds=3))
            # Of a conversion and the copies right after it, so that others on the machine slow all alike.
            alone = statistics.median(one["cp"] / one["seconds"] for one in taken)
            synced = statistics.median(one["cp_and_sync"] / one["seconds"] for one in taken)
            least = {"least": _SPEED} if gigabytes >= _TELLING_GIGABYTES else {}
            seconds = statistics.median(one["seconds"] for one in taken)
            figures |= {
                f"convert/{name}": figure(synced, "of cp and sync", gigabytes=total / 1e9, seconds=seconds, **least),
                f"convert/{name}_cached": figure(alone, "of cp", **least),
                f"convert/{name}_memory": figure(
                    max(one["peak_memory_above_start_bytes"] for one in taken) / 1e6,
                    "MB",
                    limit=(3 * largest + 500e6) / 1e6,
                    largest_tensor=largest / 1e6,
                    whole_process=max(one["peak_memory_bytes"] for one in taken) / 1e6,
                ),
            }
            if to == "back":  # the gate, which is no part of the seconds and the memory above
                figures["convert/gate_memory"] = figure(
                    max(one["gate_peak_memory_above_start_bytes"] for one in taken) / 1e6,
                    "MB",
                    seconds=max(one["gate_seconds"] for one in taken),
                )
    return figures


def _rounds(root: Path, source: str, to: str, rounds: int) -> Iterator[dict[str, Any]]:
    """Times of a conversion and of two copies of its input; one copy may take five times as long as the next."""
    for number in range(rounds):
        shutil.rmtree(root / to, ignore_errors=True)
        format_ = "hf" if to == "back" else to
        command = [sys.executable, "-m", "pretrain", "convert", "--to", format_, "--out", str(root / to), "--json"]
        _rest()
        done = subprocess.run([*command, str(root / source)], capture_output=True, text=True, check=True)
        report: dict[str, Any] = json.loads(done.stdout)
        for key in ("cp", "cp_and_sync"):
            _rest()
            began = time.perf_counter()
            subprocess.run(["cp", "-r", root / source, root / "copy"], check=True)
            if key == "cp_and_sync":
                subprocess.run(["sync", *(root / "copy").glob("*.safetensors")], check=True)
            report[key] = time.perf_counter() - began
            shutil.rmtree(root / "copy")
        if number == 0 and to == "back":
            _refuse_difference(root / "hf", root / to)
        yield report


def _rest() -> None:
    os.sync()
    time.sleep(_REST_S)


def _refuse_difference(one: Path, other: Path) -> None:
    for path in one.glob("*.safetensors"):
        subprocess.run(["cmp", path, other / path.name], check=True)


def _generate(folder: Path, gigabytes: float) -> Model:
    """Weights made as they are written; of the whole model only a piece is in memory."""
    folder.mkdir()
    width = 2048 if gigabytes >= _TELLING_GIGABYTES else 256
    config = LlamaConfig(
        architectures=["LlamaForCausalLM"],
        vocab_size=32_000,
        hidden_size=width,
        intermediate_size=width * 11 // 4,
        num_hidden_layers=1,
        num_attention_heads=16,
        num_key_value_heads=4,
        tie_word_embeddings=False,
    )
    config.save_pretrained(folder)
    one = Model.of(folder).shapes
    layer = sum(math.prod(shape) for name, shape in one.items() if ".layers." in name)
    rest = sum(map(math.prod, one.values())) - layer
    config.num_hidden_layers = max(1, math.ceil((gigabytes * 1e9 / 4 - rest) / layer))
    config.save_pretrained(folder)
    model = Model.of(folder)
    noise = 0.02 * torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))  # as large as a model's weights

    def read(name: str, box: Box) -> torch.Tensor:
        shift = zlib.crc32(f"{name} {box.offsets}".encode()) % noise.numel()
        return noise.roll(shift).repeat(-(-box.count // noise.numel()))[: box.count].reshape(box.sizes)

    write_weights(folder, described(model.shapes, lambda name: torch.float32), read)
    return model
