"""Small models of every architecture with awkward shapes, and checkpoints of them from a plain megatron-core script."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load_file, save_file
from torch.distributed.checkpoint.metadata import Metadata
from transformers import LlamaConfig, MistralConfig, PretrainedConfig, Qwen2Config, Qwen3Config

from benchmarks.engine_lab import launch
from configs.progress import Progress
from pretrain.checkpoint.boxes import Box
from pretrain.convert.megatron.source import MegatronSource
from pretrain.convert.megatron.target import write
from pretrain.convert.model import Model
from pretrain.convert.target import Options, Written
from pretrain.engines.base import Kind
from pretrain.models.family import family

SCRIPT = Path(__file__).with_name("plain_script.py")

_SIZES: dict[str, Any] = {
    "vocab_size": 131,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}

CONFIGS: dict[str, PretrainedConfig] = {
    "llama": LlamaConfig(**_SIZES),
    "tied": LlamaConfig(**{**_SIZES, "tie_word_embeddings": True}),
    "qwen2": Qwen2Config(**_SIZES),
    "qwen3": Qwen3Config(**_SIZES, head_dim=16),
    "mistral": MistralConfig(**_SIZES, head_dim=10, sliding_window=None),
    "one key/value head": LlamaConfig(**{**_SIZES, "num_key_value_heads": 1}),
}

PADDED_VOCABULARY = 136
"""What the script pads 131 rows to."""

KINDS: dict[Kind, str] = {"master": "param", "exp_avg": "exp_avg", "exp_avg_sq": "exp_avg_sq"}
"""What the script calls them."""


@dataclass(frozen=True)
class Made:
    """A model, and fp32 weights and moments of it in a file, every number another."""

    name: str
    model: Model
    file: Path

    def tensors(self, kind: Kind = "master") -> dict[str, torch.Tensor]:
        """By HF name."""
        before = f"{KINDS[kind]}:"
        return {
            key.removeprefix(before): tensor for key, tensor in load_file(self.file).items() if key.startswith(before)
        }

    def case(self, do: str, place: Path, *, tp: int = 1, pp: int = 1, **more: Any) -> dict[str, Any]:
        """A case of the script; its name says what it is about."""
        config = family(self.model.config.model_type).transformer_config(self.model.config)
        plain = ("normalization", "gated_linear_unit", "activation_func", "add_bias_linear")
        return {
            "name": f"{do} {place} {tp} {pp}",
            "do": do,
            "dir": str(place),
            "tp": tp,
            "pp": pp,
            "config": {key: value for key, value in config.items() if key not in plain},
            "vocab": PADDED_VOCABULARY,
            "tied": self.model.config.tie_word_embeddings,
            "bf16": False,
            "optimizer": None,
            "tensors": str(self.file),
            **more,
        }

    def held(self, *, moments: bool = False, step: int = 0) -> Held:
        """The tensors as a source."""
        return Held({kind: self.tensors(kind) for kind in KINDS if moments or kind == "master"}, step)

    def write(self, out: Path, *, moments: bool = False, step: int = 0, **options: Any) -> Written:
        """Write a Megatron checkpoint of it."""
        out.mkdir(exist_ok=True)
        with Progress("converting", 0, "MB") as progress:
            return write(self.held(moments=moments, step=step), out, self.model, Options(**options), progress)


@dataclass(frozen=True)
class Held:
    """A source in memory."""

    tensors: Mapping[Kind, Mapping[str, torch.Tensor]]
    step: int
    kind: Literal["hf"] = "hf"

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: tuple(tensor.shape) for name, tensor in self.tensors["master"].items()}

    @property
    def has_moments(self) -> bool:
        return "exp_avg" in self.tensors

    @property
    def adam_steps(self) -> int:
        return self.step

    def dtype(self, name: str) -> torch.dtype:
        return self.tensors["master"][name].dtype

    def has(self, name: str, kind: Kind) -> bool:
        return name in self.tensors.get(kind, {})

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        return self.tensors[kind][name][box.slices].clone()

    def close(self) -> None:
        pass


@dataclass
class Models:
    """Models, each made once."""

    root: Path
    _made: dict[str, Made] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Made:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Made:
        folder = self.root / f"{name} hf"
        CONFIGS[name].save_pretrained(folder)
        model = Model.of(folder)
        generator = torch.Generator().manual_seed(3)
        tensors = {
            f"{kind}:{hf_name}": torch.rand(shape, generator=generator)
            for kind in KINDS.values()
            for hf_name, shape in model.shapes.items()
        }
        file = self.root / f"{name}.safetensors"
        save_file(tensors, file)
        return Made(name, model, file)


def run_script(
    cases: Sequence[dict[str, Any]], root: Path, processes: int, *, python_path: str = ""
) -> dict[str, list[Any]]:
    """What each rank of the script said of each case."""
    out = root / f"job-{len(list(root.glob('job-*')))}"
    return launch.run(cases, out, processes, timeout_s=60 + 30 * len(cases), python_path=python_path, program=SCRIPT)


def change_metadata(folder: Path, how: Callable[[Metadata], Any]) -> None:
    """Let a function write in `.metadata`."""
    path = folder / ".metadata"
    metadata = pickle.loads(path.read_bytes())
    how(metadata)
    path.write_bytes(pickle.dumps(metadata))


def rename_tensors(folder: Path, renamed: Callable[[str], str]) -> None:
    """Give tensors other keys."""

    def how(metadata: Metadata) -> None:
        metadata.state_dict_metadata = {renamed(key): one for key, one in metadata.state_dict_metadata.items()}
        storage = {}
        for index, info in metadata.storage_data.items():
            storage[type(index)(renamed(index.fqn), index.offset)] = info
        metadata.storage_data = storage

    change_metadata(folder, how)


def assert_same(source: MegatronSource, made: Made) -> None:
    for kind in KINDS:
        for name, tensor in made.tensors(kind).items():
            assert torch.equal(source.read(name, Box.whole(tensor.shape), kind), tensor), (kind, name)
