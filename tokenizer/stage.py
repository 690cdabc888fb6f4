"""What the tokenizer stage reads and by which config; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

from pathlib import Path

from configs.raw_input import RawFile, find_files
from configs.schema.run import Run
from configs.schema.tokenizer import Tokenizer
from configs.stage import StagePlan
from corpus.stage import corpus_dir
from tokenizer.base import Base

KIND, VERSION = "tokenizer", 2


def tokenizer_dir(run: Run) -> Path:
    """Where the run keeps its tokenizer."""
    return run.run.dir / "tokenizer"


def tokenizer_plan(run: Run) -> StagePlan:
    """The stage as the run file describes it."""
    config = {**run.tokenizer.digested(), "base": run.tokenizer_base}
    config["language_of"] = {name: source.language for name, source in run.corpus.sources.items()}
    if "random" in (run.tokenizer.init.method, run.tokenizer.init.output_method):
        config["seed"] = run.run.seed
    if run.tokenizer.found_words.most:
        config["in_house"] = in_house_sources(run)
    upstream, raw = {"corpus": corpus_dir(run)}, {"base": tokenizer_files(run), **term_files(run.tokenizer)}
    return StagePlan("tokenizer", tokenizer_dir(run), KIND, VERSION, config, upstream, raw)


def in_house_sources(run: Run) -> list[str]:
    """Of the sources that are learned from those that say who may see them."""
    sources = run.corpus.sources.items()
    return [name for name, source in sources if source.access and source.language in run.tokenizer.languages]


def term_files(settings: Tokenizer) -> dict[str, tuple[RawFile, ...]]:
    """The files of the term lists, by names that no other input has.

    Raises:
        UserError: if a path names nothing.
    """
    return {f"terms{at}": find_files(path, what="tokenizer.terms") for at, path in enumerate(settings.terms)}


def tokenizer_files(run: Run) -> tuple[RawFile, ...] | str:
    """The files of the base that its tokenizer may consist of, or the word that identifies a base on the hub."""
    return only_tokenizer_files(Base.of_tokenizer(run).input)


def only_tokenizer_files(base: tuple[RawFile, ...] | str) -> tuple[RawFile, ...] | str:
    """Of the files of a base those that its tokenizer may consist of."""
    if isinstance(base, str):
        return base
    # Weights do not matter to the tokenizer, and hashing them takes as long as reading them.
    return tuple(file for file in base if _is_tokenizer_file(file))


def _is_tokenizer_file(file: RawFile) -> bool:
    return "/" not in file.name and not file.name.endswith((".safetensors", ".bin", ".pt", ".gguf", ".index.json"))
