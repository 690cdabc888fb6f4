"""Weights of a Hugging Face folder, in shards and with an index as transformers writes them, streamed.

Source: `PreTrainedModel.save_pretrained` of transformers 5.23 and the serializer of safetensors 0.8, whose bytes these
are; both want all tensors in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from io import RawIOBase
from pathlib import Path

import torch
from huggingface_hub import split_torch_state_dict_into_shards

from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.safetensors_file import header
from pretrain.checkpoint.stream import cast, pieces, stream
from pretrain.convert.target import Records, write_files

Read = Callable[[str, Box], torch.Tensor]
"""Gives the values of a box of a tensor, by its HF name."""

INDEX = "model.safetensors.index.json"
MAX_SHARD_SIZE = "50GB"
"""transformers' own limit."""

# Widest first, as the library's enumeration of number formats is sorted.
_ORDER = {dtype: number for number, dtype in enumerate((torch.float32, torch.bfloat16, torch.float16))}


@dataclass(frozen=True)
class WeightFile:
    """A file before it is written."""

    name: str
    header: bytes
    tensors: tuple[str, ...]
    """In the order of their bytes."""


def lay_out(
    tensors: Mapping[str, torch.Tensor], max_shard_size: int | str = MAX_SHARD_SIZE
) -> tuple[list[WeightFile], bytes | None]:
    """Cut tensors into files; needs their shapes and number formats only.

    Args:
        tensors: on the meta device, by HF name in the order of the state dict; a tied output embedding is left out.
    Returns:
        The files, and the bytes of the index if there are several.
    """
    split = split_torch_state_dict_into_shards(dict(tensors), max_shard_size=max_shard_size)
    files = []
    for file, names in split.filename_to_tensors.items():
        ordered = tuple(sorted(names, key=lambda name: (_ORDER[tensors[name].dtype], name)))
        described = [(name, tensors[name].dtype, tensors[name].shape) for name in ordered]
        files.append(WeightFile(file, header(described, {"format": "pt"}), ordered))
    if not split.is_sharded:
        return files, None
    parameters = sum(tensor.numel() for tensor in tensors.values())
    index = {
        "metadata": {"total_parameters": parameters, **split.metadata},
        "weight_map": split.tensor_to_filename,
    }
    return files, (json.dumps(index, indent=2, sort_keys=True) + "\n").encode()


def described(shapes: Mapping[str, tuple[int, ...]], dtype: Callable[[str], torch.dtype]) -> dict[str, torch.Tensor]:
    """Tensors that have a shape and a number format, and no memory."""
    return {name: torch.empty(shape, dtype=dtype(name), device="meta") for name, shape in shapes.items()}


def write_weights(
    folder: Path,
    tensors: Mapping[str, torch.Tensor],
    read: Read | None = None,
    *,
    max_shard_size: int | str = MAX_SHARD_SIZE,
    told: Callable[[int], None] | None = None,
) -> Records:
    """Write safetensors, and an index if there are several; files that are there already stay.

    Args:
        tensors: by HF name; each piece of memory once, so a tied output embedding is left out. Where `read` is given
            they say only which shape and number format is written.
        read: gives the values of a box of a tensor; they are rounded to its number format.
        told: is told how many bytes were written, now and then.
    Returns:
        Size and SHA-256 of the files, by name.
    Raises:
        UserError: if the disk is full or not writable, or a value is beyond its number format's range.
    """
    files, index = lay_out(
        described({name: tuple(one.shape) for name, one in tensors.items()}, lambda name: tensors[name].dtype),
        max_shard_size,
    )
    jobs: dict[str, Callable[[RawIOBase], object]] = {
        file.name: partial(_write, file, tensors, read or partial(_slice, tensors), told) for file in files
    }
    if index is not None:
        jobs[INDEX] = lambda out: out.write(index)
    return write_files(folder, jobs)


def _slice(tensors: Mapping[str, torch.Tensor], name: str, box: Box) -> torch.Tensor:
    return tensors[name].detach()[box.slices]


def _write(
    file: WeightFile,
    tensors: Mapping[str, torch.Tensor],
    read: Read,
    told: Callable[[int], None] | None,
    out: RawIOBase,
) -> None:
    out.write(file.header)
    for piece in stream(_reads(file, tensors, read)):
        out.write(piece)
        if told is not None:
            told(len(piece))


def _reads(file: WeightFile, tensors: Mapping[str, torch.Tensor], read: Read) -> Iterator[Callable[[], torch.Tensor]]:
    for name in file.tensors:
        dtype = tensors[name].dtype
        for box in pieces(tensors[name].shape, dtype.itemsize):
            yield partial(_rounded, read, name, box, dtype)


def _rounded(read: Read, name: str, box: Box, dtype: torch.dtype) -> torch.Tensor:
    return cast(read(name, box), dtype, name)
