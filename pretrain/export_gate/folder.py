"""What of an exported folder can be compared without running a model: config, tokenizer, every weight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.checkpoint.stream import pieces
from pretrain.document_format import DocumentFormat
from pretrain.engines.base import StateReader
from pretrain.models.rope import rope

# Compared otherwise: rows of the embeddings, number format, and RoPE, which versions of transformers call differently.
# The last two say who wrote the file.
_OTHERWISE = {
    "vocab_size",
    "dtype",
    "torch_dtype",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "transformers_version",
    "_name_or_path",
}


def config_failures(base: Mapping[str, Any], exported: Mapping[str, Any], vocab_rows: int) -> list[str]:
    """What of a config is not the base's, or not the weights'."""
    failures = [
        f"config {key}: {base.get(key)!r} became {exported.get(key)!r}"
        for key in sorted((base.keys() | exported.keys()) - _OTHERWISE)
        if exported.get(key) != base.get(key)
    ]
    if exported.get("vocab_size") != vocab_rows:
        failures.append(f"config vocab_size: {exported.get('vocab_size')}, the embeddings have {vocab_rows} rows")
    if rope(base) != rope(exported):
        failures.append(f"rope: {rope(base)} became {rope(exported)}")
    return failures


def tokenizer_failures(folder: Path, form: DocumentFormat, texts: Sequence[str]) -> list[str]:
    """Texts that the reloaded tokenizer encodes or decodes otherwise than training did."""
    reloaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    failures = []
    size = 1 + max(reloaded.get_vocab().values())  # not their number: ids may have holes
    if size != form.tokenizer.size:
        failures.append(f"tokenizer: {size} tokens after reload, {form.tokenizer.size} were written")
    for number, text in enumerate(texts):
        ids = reloaded.encode(text, add_special_tokens=False)
        if ids != form.tokenizer.encode(text):
            failures.append(f"tokenizer: text {number} has other ids after reload")
            break
        if reloaded.decode(ids) != form.tokenizer.backend.decode(ids):
            failures.append(f"tokenizer: text {number} decodes to another text after reload")
            break
    return failures


def weight_failures(folder: Path, rounded: StateReader, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Tensors of the folder that are not the rounded weights bit for bit, the first three named."""
    reader = HfFolderReader(folder)
    failures = [f"{name} is missing" for name in sorted(set(shapes) - reader.names)]
    failures += [f"{name} is none of the model's" for name in sorted(reader.names - set(shapes))]
    for name in sorted(set(shapes) & reader.names):
        if reader.shape(name) != shapes[name]:
            failures.append(f"{name} is {list(reader.shape(name))}, was {list(shapes[name])}")
        elif not all(
            torch.equal(reader.read(name, box), rounded.read(name, box, "master"))
            for box in pieces(shapes[name], itemsize=4)
        ):
            failures.append(f"{name} has other values")
    return [f"weights: {'; '.join(failures[:3])}"] if failures else []
