"""`run.jsonl`: when, where and with which libraries a directory was worked on. Nothing digests it."""

from __future__ import annotations

import json
import os
import platform
import socket
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

JOURNAL = "run.jsonl"
_LIBRARIES = (
    "tsugiki",
    "numpy",
    "pyarrow",
    "numba",
    "tokenizers",
    "transformers",
    "torch",
    "deepspeed",
    "megatron-core",
    "flash-attn",
    "transformer-engine",
)


def note(directory: Path, event: str, **facts: Any) -> None:
    """Append one line to the directory's journal."""
    line = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "event": event,
        **facts,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "python": platform.python_version(),
        "libraries": versions(),
    }
    with open(directory / JOURNAL, "a", encoding="utf-8") as journal:
        journal.write(json.dumps(line, ensure_ascii=False) + "\n")


def versions() -> dict[str, str]:
    """Of this program and of the libraries that results may depend on, those that are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
