"""What the stages of pretraining read and by which config; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from configs.atomic_file import canonical_json
from configs.raw_input import RawFile, find_files
from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.stage import corpus_dir
from pretrain.planned_stage import PlannedStage
from tokenizer.base import Base
from tokenizer.stage import tokenizer_dir

TOKENS, PACKED, CHECKPOINTS, MODEL = "tokens", "packed", "checkpoints", "model"
_VERSIONS = {TOKENS: 2, PACKED: 1, CHECKPOINTS: 1, MODEL: 1}


def tokens_dir(run: Run) -> Path:
    """Where the run keeps its token shards."""
    return run.run.dir / "tokens"


def checkpoints_dir(run: Run) -> Path:
    """Where the run keeps its checkpoints."""
    return run.run.dir / "checkpoints"


def model_dir(run: Run) -> Path:
    """Where the exported model appears; its folder `hf` is what other programs load."""
    return run.run.dir / "model"


def tokens_plan(run: Run) -> StagePlan:
    """Corpus and tokenizer to token shards."""
    config: dict[str, Any] = {"sources": text_sources(run), "end_of_document": run.pretrain.end_of_document}
    brought = token_sources(run)
    if brought:
        config["token_sources"] = brought
    raw: dict[str, tuple[RawFile, ...] | str] = {}
    for name, prefix in brought.items():
        what = f"pretrain.token_sources.{name}"
        raw[name] = tuple(file for ending in ("bin", "idx") for file in find_files(f"{prefix}.{ending}", what=what))
    upstream = {"corpus": corpus_dir(run), "tokenizer": tokenizer_dir(run)}
    return StagePlan("tokenise", tokens_dir(run), TOKENS, _VERSIONS[TOKENS], config, upstream, raw)


def pack_plan(run: Run) -> StagePlan:
    """Token shards to packed sequences; each choice of lengths has a directory of its own."""
    config: dict[str, Any] = {"seq_lens": seq_lens(run)}
    label = "-".join(str(seq_len) for seq_len in sorted({one for lengths in seq_lens(run).values() for one in lengths}))
    changes = changes_of_length(run)
    if changes:
        # What an epoch has left depends on all that was taken before.
        stages = [vars(stage) for stage in planned_stages(run)[: max(changes)]]
        config |= {"seed": run.run.seed, "stages": stages, "changes": {str(k): changes[k] for k in changes}}
        label += f"-{hashlib.sha256(canonical_json(config)).hexdigest()[:8]}"
    upstream = {"tokens": tokens_dir(run)}
    return StagePlan("pack", run.run.dir / "packed" / label, PACKED, _VERSIONS[PACKED], config, upstream)


def train_plan(run: Run) -> StagePlan:
    """Token shards and base model to checkpoints."""
    config: dict[str, Any] = {**run.pretrain.digested(), "seed": run.run.seed}
    upstream = {"corpus": corpus_dir(run), "tokenizer": tokenizer_dir(run), "tokens": tokens_dir(run)}
    upstream["packed"] = pack_plan(run).dir
    raw = {"base": Base.of_model(run).input}
    return StagePlan("train", checkpoints_dir(run), CHECKPOINTS, _VERSIONS[CHECKPOINTS], config, upstream, raw)


def export_plan(run: Run) -> StagePlan:
    """The last checkpoint to a Hugging Face folder."""
    config = {**run.export.digested(), "name": run.run.name}
    upstream = {"corpus": corpus_dir(run), "tokenizer": tokenizer_dir(run), "checkpoints": checkpoints_dir(run)}
    raw = {"base": Base.of_model(run).input}
    return StagePlan("export", model_dir(run), MODEL, _VERSIONS[MODEL], config, upstream, raw)


def mixed_sources(run: Run) -> list[str]:
    """Sources that any stage of training mixes: those of the corpus, then those brought as tokens."""
    return [*text_sources(run), *token_sources(run)]


def text_sources(run: Run) -> list[str]:
    """Mixed sources of the corpus, in the order of the run file."""
    return [name for name in run.corpus.sources if name in _mixed(run)]


def token_sources(run: Run) -> dict[str, str]:
    """Mixed sources that are brought as tokens: the paths of their files, without the ending."""
    return {name: prefix for name, prefix in run.pretrain.token_sources.items() if name in _mixed(run)}


def _mixed(run: Run) -> set[str]:
    return {name for stage in run.pretrain.stages.values() for name in stage.mixture}


def seq_lens(run: Run) -> dict[str, list[int]]:
    """The lengths of sequences that training takes of each mixed source, in the order of their first use."""
    lengths: dict[str, list[int]] = {source: [] for source in mixed_sources(run)}
    for stage in planned_stages(run):
        for source in stage.weights:
            if stage.seq_len not in lengths[source]:
                lengths[source].append(stage.seq_len)
    return lengths


def planned_stages(run: Run) -> list[PlannedStage]:
    """The stages as the sample plan knows them."""
    settings = run.pretrain
    return [
        PlannedStage(settings.steps_in(stage) * settings.sequences_in(stage), stage.mixture, settings.seq_len_in(stage))
        for stage in settings.stages.values()
    ]


def changes_of_length(run: Run) -> dict[int, list[str]]:
    """The sources that a stage (numbered from 0) takes in another length than the last stage that mixed them."""
    length: dict[str, int] = {}
    changes: dict[int, list[str]] = {}
    for number, stage in enumerate(planned_stages(run)):
        changed = [
            name
            for name in mixed_sources(run)
            if name in stage.weights and length.get(name, stage.seq_len) != stage.seq_len
        ]
        if changed:
            changes[number] = changed
        length |= dict.fromkeys(stage.weights, stage.seq_len)
    return changes
