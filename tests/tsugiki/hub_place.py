"""A hub of the tests with the tiny base and its texts, and runs that use it; the clients are the real ones."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.hub import Hub, serving
from tests.tiny import tiny_run
from tests.tsugiki.conftest import REPOSITORY

TOKEN, STRANGERS = "hf_of_a_member", "hf_of_a_stranger"


@dataclass(frozen=True)
class Place:
    """A hub, and a run that could use it."""

    hub: Hub
    root: Path

    def words(self, run_dir: str, *overrides: str) -> list[str]:
        """Of a command line."""
        overrides = (f"run.dir={self.root}/{run_dir}", *overrides)
        return [str(self.root / "run.yaml"), *(word for one in overrides for word in ("--set", one))]

    def run(self, words: Sequence[str], home: str = "home", **more: str) -> subprocess.CompletedProcess[str]:
        """`tsugiki run` in a process of its own, with a cache of its own."""
        command = [sys.executable, "-m", "tsugiki", "run", *words]
        environment = self.hub.environment(self.root / home, **more)
        return subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
        )


@contextmanager
def hub_place(root: Path) -> Iterator[Place]:
    """A hub with the tiny base among other programs' copies of it, and with the Japanese texts as a dataset."""
    tiny_run(root)
    with serving() as hub:
        hub.model("team/base", base_files(root))
        hub.dataset("team/texts", {"README.md": b"---\nlicense: mit\n---\n", "data/train.jsonl": texts(root)})
        yield Place(hub, root)


def base_files(root: Path) -> dict[str, bytes]:
    """The tiny base as models are published: with pickles, and with its weights under other names again."""
    files = {path.name: path.read_bytes() for path in (root / "base").iterdir()}
    weights = files["model.safetensors"]
    copies = ("consolidated.safetensors", "model.fp16.safetensors", "onnx/model.safetensors", "base-q4.gguf")
    files |= dict.fromkeys(copies, weights)
    files |= {"pytorch_model.bin": b"\x80", "original/consolidated.00.pth": b"\x80", "original/params.json": b"{}"}
    files |= {"original/tokenizer.model": b"\x80", "additional_chat_templates/tool_use.jinja": b"{{ tools }}\n"}
    return {**files, "README.md": b"# Base\n", "modeling_base.py": b"raise SystemExit\n"}


def texts(root: Path) -> bytes:
    """The Japanese documents as JSON lines."""
    records = [json.dumps({"text": path.read_text()}, ensure_ascii=False) for path in sorted((root / "ja").iterdir())]
    return "".join(f"{record}\n" for record in records).encode()
