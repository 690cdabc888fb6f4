"""What the tokenizer stage reads and by which config; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

from pathlib import Path

from configs.raw_input import RawFile
from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.stage import corpus_dir
from tokenizer.base import Base

KIND, VERSION = "tokenizer", 1


def tokenizer_dir(run: Run) -> Path:
    """Where the run keeps its tokenizer."""
    return run.run.dir / "tokenizer"


def tokenizer_plan(run: Run) -> StagePlan:
    """The stage as the run file describes it."""
    config = {**run.tokenizer.digested(), "base": run.tokenizer_base}
    config["language_of"] = {name: source.language for name, source in run.corpus.sources.items()}
    base = Base.of_tokenizer(run).input
    if not isinstance(base, str):
        # Weights do not matter to the tokenizer, and hashing them takes as long as reading them.
        base = tuple(file for file in base if _is_tokenizer_file(file))
    return StagePlan(
        "tokenizer", tokenizer_dir(run), KIND, VERSION, config, upstream={"corpus": corpus_dir(run)}, raw={"base": base}
    )


def _is_tokenizer_file(file: RawFile) -> bool:
    return "/" not in file.name and not file.name.endswith((".safetensors", ".bin", ".pt", ".gguf", ".index.json"))
