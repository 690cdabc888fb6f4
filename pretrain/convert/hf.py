"""Hugging Face folders, read and written."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from functools import cached_property
from io import RawIOBase
from pathlib import Path
from shutil import copyfileobj

import torch

from configs.errors import UserError
from configs.progress import Progress
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.checkpoint.stream import pieces
from pretrain.convert.model import CONFIG, Model
from pretrain.convert.source import DTYPES, Format, StateSource
from pretrain.convert.target import Options, Written, write_files
from pretrain.engines.base import Kind
from pretrain.hf_weights import described, write_weights

_log = logging.getLogger(__name__)

# Old Llama checkpoints hold it; transformers computes it from the configuration and ignores what is stored.
_COMPUTED = "rotary_emb.inv_freq"
_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"


class HfSource:
    """The weights of a folder.

    Raises:
        UserError: if a shard is missing or damaged, or of a number format that is not read.
    """

    kind: Format = "hf"
    has_moments = False
    step = adam_steps = 0

    def __init__(self, folder: Path, model: Model) -> None:
        self._folder, self._reader = folder, HfFolderReader(folder)
        names = [name for name in sorted(self._reader.names) if not name.endswith(_COMPUTED)]
        if len(names) < len(self._reader.names):
            _log.info("%s: stored rotary frequencies are left out; they follow from %s", folder, CONFIG)
        if _HEAD in names and _EMBEDDING in names and _HEAD not in model.shapes:
            self._refuse_untied()
            names.remove(_HEAD)
        self._dtypes = {name: self._reader.dtype(name) for name in names}

    def _refuse_untied(self) -> None:
        shape = self._reader.shape(_HEAD)
        same = shape == self._reader.shape(_EMBEDDING) and all(
            torch.equal(self._reader.stored(_HEAD, box), self._reader.stored(_EMBEDDING, box))
            for box in pieces(shape, itemsize=4)
        )
        if not same:
            raise UserError(
                f"{self._folder}: {_HEAD} differs from {_EMBEDDING}, though {CONFIG} says that they are tied; "
                "set tie_word_embeddings to false there if the former is the trained one"
            )

    @cached_property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """HF names and shapes of all tensors; a tied output embedding that is stored all the same is absent."""
        return {name: self._reader.shape(name) for name in self._dtypes}

    def dtype(self, name: str) -> torch.dtype:
        """Number format of a tensor."""
        return self._dtypes[name]

    def has(self, name: str, kind: Kind) -> bool:
        """Weights only."""
        return kind == "master"

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """Values of a box as they are stored."""
        return self._reader.stored(name, box, kind)

    def close(self) -> None:
        """Let go of the files."""
        self._reader.close()


def open_hf(folder: Path, model: Model) -> HfSource:
    """Open a folder."""
    return HfSource(folder, model)


def write(source: StateSource, out: Path, model: Model, options: Options, progress: Progress) -> Written:
    """Write weights, config.json and what lies beside them."""
    asked = None if options.dtype is None else DTYPES[options.dtype]
    tensors = described(model.shapes, lambda name: asked or source.dtype(name))
    files = write_weights(
        out,
        tensors,
        lambda name, box: source.read(name, box, "master"),
        max_shard_size=options.max_shard_size,
        told=teller(progress),
    )
    dtypes = {tensor.dtype for tensor in tensors.values()}
    # A folder whose config names another format than its weights have says so on purpose, as long as nothing changes.
    named = asked if source.kind == "hf" else dtypes.pop() if len(dtypes) == 1 else None
    files |= write_files(out, files_of(model, named))
    return Written(files, {"tensors": len(tensors)})


def files_of(model: Model, dtype: torch.dtype | None = None) -> dict[str, Callable[[RawIOBase], object]]:
    """What writes config.json and all other files of a model but its weights, by name.

    Args:
        dtype: that config.json is to name; none leaves what it says.
    """
    jobs: dict[str, Callable[[RawIOBase], object]] = {CONFIG: lambda out: out.write(model.config_json(dtype))}
    return jobs | {name: _copier(path) for name, path in model.carried.items()}


def _copier(path: Path) -> Callable[[RawIOBase], object]:
    def copy(out: RawIOBase) -> None:
        with open(path, "rb") as file:
            copyfileobj(file, out)

    return copy


def teller(progress: Progress) -> Callable[[int], None]:
    """What tells progress from any thread."""
    lock = threading.Lock()

    def told(count: int) -> None:
        with lock:
            progress.advance(count)

    return told
