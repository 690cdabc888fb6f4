"""Weights of a Hugging Face folder, in shards and with an index as transformers writes them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from huggingface_hub import split_torch_state_dict_into_shards
from safetensors.torch import save_file

from configs.atomic_file import canonical_json

# transformers' own limit; `save_pretrained` itself would import every training framework that is installed.
_MAX_SHARD = "50GB"


def write_weights(folder: Path, tensors: Mapping[str, torch.Tensor]) -> list[str]:
    """Write safetensors, and an index if there are several.

    Args:
        tensors: by HF name; each piece of memory once, so a tied output embedding is left out.
    Returns:
        Names of the files written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    split = split_torch_state_dict_into_shards(dict(tensors), max_shard_size=_MAX_SHARD)
    for file, names in split.filename_to_tensors.items():
        shard = {name: tensors[name].detach().contiguous() for name in names}
        save_file(shard, folder / file, metadata={"format": "pt"})
    written = sorted(split.filename_to_tensors)
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / "model.safetensors.index.json").write_bytes(canonical_json(index))
        written.append("model.safetensors.index.json")
    return written
