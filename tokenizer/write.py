"""The extended tokenizer as a Hugging Face folder: the base's own files, changed only where they must be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from configs.artifact import Builder
from configs.atomic_file import read_json, sha256_of
from configs.raw_input import RawFile
from tokenizer.extendable import Extendable

# Whatever belongs to a tokenizer: chat template, special tokens, settings. Never weights or model config.
_FILES = (
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "additional_chat_templates/*.jinja",
)
# transformers' classes for single families rebuild the pre-tokeniser from their own idea of it (its issue 45488);
# this one takes tokenizer.json as it stands.
_CLASS = "PreTrainedTokenizerFast"


def copy_tokenizer_files(builder: Builder, base: Path, extended: Extendable) -> None:
    """Write `hf/` with the extended tokenizer and the base's other tokenizer files."""
    with builder.file("hf/tokenizer.json") as out:
        out.write(json.dumps(extended.definition, ensure_ascii=False, indent=1).encode())
    for name, content in extended.other_files.items():
        with builder.file(f"hf/{name}") as out:
            out.write(content)
    settings = base / "tokenizer_config.json"
    with builder.file("hf/tokenizer_config.json") as out:
        out.write(_config(read_json(settings) if settings.exists() else dict(extended.settings)))
    for path in sorted(path for pattern in _FILES for path in base.glob(pattern)):
        with builder.file(f"hf/{path.relative_to(base)}") as out:
            out.write(path.read_bytes())


def _config(config: dict[str, Any]) -> bytes:
    # auto_map would make transformers run code from the folder.
    kept = {key: value for key, value in config.items() if key != "auto_map"}
    kept["tokenizer_class"] = _CLASS
    return (json.dumps(kept, ensure_ascii=False, indent=2) + "\n").encode()


def hash_base_files(files: tuple[RawFile, ...] | str) -> bytes:
    """One line per raw file that was read, as `inputs/base.jsonl` has them."""
    if isinstance(files, str):
        return b""
    lines = [
        json.dumps({"name": file.name, "start": 0, "end": file.bytes, "sha256": sha256_of(file.path)}) for file in files
    ]
    return ("\n".join(lines) + "\n").encode()
