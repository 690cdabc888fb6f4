"""What the stages of pretraining read and by which config; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.stage import corpus_dir
from tokenizer.base import base_input
from tokenizer.stage import tokenizer_dir

TOKENS, CHECKPOINTS, MODEL = "tokens", "checkpoints", "model"
_VERSIONS = {TOKENS: 1, CHECKPOINTS: 1, MODEL: 1}


def tokens_dir(run: Run) -> Path:
    """Where the run keeps its token shards."""
    return run.run.dir / "tokens"


def checkpoints_dir(run: Run) -> Path:
    """Where the run keeps its checkpoints."""
    return run.run.dir / "checkpoints"


def model_dir(run: Run) -> Path:
    """Where the exported model appears; its folder `hf` is what other programs load."""
    return run.run.dir / "model"


def pack_plan(run: Run) -> StagePlan:
    """Corpus and tokenizer to token shards."""
    config = {
        "sources": mixed_sources(run),
        "seq_len": run.pretrain.seq_len,
        "end_of_document": run.pretrain.end_of_document,
    }
    upstream = {"corpus": corpus_dir(run), "tokenizer": tokenizer_dir(run)}
    return StagePlan("pack", tokens_dir(run), TOKENS, _VERSIONS[TOKENS], config, upstream)


def train_plan(run: Run) -> StagePlan:
    """Token shards and base model to checkpoints."""
    config: dict[str, Any] = {**run.pretrain.digested(), "seed": run.run.seed}
    upstream = {"corpus": corpus_dir(run), "tokenizer": tokenizer_dir(run), "tokens": tokens_dir(run)}
    raw = {"base": base_input(run.pretrain.base)}
    return StagePlan("train", checkpoints_dir(run), CHECKPOINTS, _VERSIONS[CHECKPOINTS], config, upstream, raw)


def export_plan(run: Run) -> StagePlan:
    """The last checkpoint to a Hugging Face folder."""
    config = {**run.export.digested(), "name": run.run.name}
    upstream = {"corpus": corpus_dir(run), "tokenizer": tokenizer_dir(run), "checkpoints": checkpoints_dir(run)}
    raw = {"base": base_input(run.pretrain.base)}
    return StagePlan("export", model_dir(run), MODEL, _VERSIONS[MODEL], config, upstream, raw)


def mixed_sources(run: Run) -> list[str]:
    """Sources that any stage of training mixes, in the order of the run file."""
    mixed = {name for stage in run.pretrain.stages.values() for name in stage.mixture}
    return [name for name in run.corpus.sources if name in mixed]
