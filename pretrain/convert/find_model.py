"""The HF folder that says which model a source is of, where nobody named it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from configs.artifact import Artifact
from configs.errors import UserError
from configs.load import load
from configs.resolved import RESOLVED
from configs.schema.pretrain import Pretrain
from configs.schema.run import Run
from pretrain.checkpoint.directory import KIND
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.convert.model import CONFIG, Model, files_beside
from pretrain.convert.source import Format
from tokenizer.base import Base

BESIDE = "hf"
"""Subfolder in which conversions to the other formats leave config.json and the tokenizer."""
_EMBEDDING = "model.embed_tokens.weight"


def find_model(format_: Format, folder: Path, named: Path | None) -> Model:
    """The model of a source.

    Args:
        folder: where the source's files are.
        named: HF folder that the user names, which goes before all else.
    Raises:
        UserError: if none is found, or it is of no supported architecture.
    """
    if named is not None:
        return Model.of(named)
    if format_ == "hf":
        return Model.of(folder)
    for beside in (folder / BESIDE, folder.parent / BESIDE):  # the latter of an iteration's own folder
        if (beside / CONFIG).exists():
            return Model.of(beside)
    run_dir = folder.parent.parent
    if format_ == "checkpoint" and (run_dir / RESOLVED).exists():
        return _of_run(run_dir, folder)
    raise UserError(
        f"{folder}: nothing here says which model it is of; name a Hugging Face folder with its config.json and "
        "tokenizer files: --model DIR"
    )


def _of_run(run_dir: Path, folder: Path) -> Model:
    """The base as the run had changed it when the checkpoint was written, with the run's own tokenizer."""
    run = load(run_dir / RESOLVED, Run)
    settings = run.pretrain
    checkpoint = Artifact.open(folder, kind=KIND)
    reader = CheckpointReader(checkpoint, moments=False)
    rows = reader.shapes[_EMBEDDING][0]
    reader.close()
    step = int(checkpoint.counts["step"])
    rope_base, seq_len = rope_base_at(settings, step), seq_len_at(settings, step)
    base = replace(Base.of_model(run), run_dir=run_dir).folder_without_weights()
    carried = files_beside(run_dir / "tokenizer" / "hf")
    generation = base / "generation_config.json"
    return Model.of(
        base, rows, rope_base, carried | ({generation.name: generation} if generation.exists() else {}), seq_len
    )


def rope_base_at(settings: Pretrain, step: int) -> float | None:
    """Base of the rotary embedding with which the model was trained last, after `step` optimizer steps.

    None if no stage so far changed the model's.
    """
    rope_base, first = None, 0
    for stage in settings.stages.values():
        if step <= first:
            break
        rope_base, first = stage.rope_base or rope_base, first + settings.steps_in(stage)
    return rope_base


def seq_len_at(settings: Pretrain, step: int) -> int:
    """Tokens of a sequence with which the model was trained last; 0 before the first step."""
    seq_len, first = 0, 0
    for stage in settings.stages.values():
        if step <= first:
            break
        seq_len, first = settings.seq_len_in(stage), first + settings.steps_in(stage)
    return seq_len
