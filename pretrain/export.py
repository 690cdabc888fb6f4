"""The export stage: the last checkpoint as a Hugging Face folder, published only through the gate.

    model/hf/            weights, config, tokenizer, model card: nothing that is ours or of this machine
    model/gate.json      what the gate found
    model/samples.json   continuations of base and exported model
Until the gate is passed the directory is called model.unchecked; one that fails stays as model.rejected. Killed and
begun again, what is whole in model.unchecked is kept; the gate reads all of it in any case.
"""

from __future__ import annotations

import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from configs.artifact import Artifact, Builder
from configs.atomic_file import canonical_json, read_json, remove_leftovers, sync_directory
from configs.errors import UserError
from configs.progress import Progress
from configs.schema.export import Export
from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.documents import documents, shards_of
from pretrain.card import card
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.stream import cast
from pretrain.continuations import continuations
from pretrain.convert.model import Model, rope_entries
from pretrain.convert.source import refuse_leftovers
from pretrain.document_format import DocumentFormat
from pretrain.engines.base import Kind
from pretrain.export_gate import check
from pretrain.export_gate.check import Trained
from pretrain.export_gate.result import GateResult
from pretrain.export_gate.texts import GateTexts
from pretrain.hf_weights import described, write_weights
from pretrain.models.rope import positions
from pretrain.quiet import quiet_transformers
from pretrain.stage import export_plan
from tokenizer.base import Base

_log = logging.getLogger(__name__)

HF = "hf"
"""Folder of the artifact that transformers loads."""

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_GATE_TEXTS = 2
"""Held-out texts of each source for the gate."""


class RoundedReader:
    """Trained weights after rounding to the number format of the folder, as float32."""

    has_moments = False

    def __init__(self, reader: CheckpointReader, dtype: torch.dtype) -> None:
        self._reader, self._dtype = reader, dtype

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """HF names and shapes of all tensors."""
        return self._reader.shapes

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """Rounded values of a box.

        Raises:
            UserError: if one is beyond the number format's range.
        """
        return cast(self._reader.read(name, box, kind), self._dtype, name).to(torch.float32)


def export_model(run: Run) -> Artifact:
    """Write the folder, check it, and give it its name.

    Raises:
        UserError: if training is not finished, the disk is full, or the gate finds a difference.
    """
    plan = export_plan(run)
    # Work goes on beside the final name, which only a folder that passed the gate gets.
    working = replace(plan, dir=plan.dir.with_name(f"{plan.dir.name}.unchecked"))
    if plan.state == "complete":
        builder = plan.build()
        assert builder.complete is not None
        _log.info("%s is complete", plan.dir)
        return builder.complete
    builder = _begun(working)
    if builder.complete is not None:  # killed before it had its name
        return _published(working.dir, plan.dir)
    quiet_transformers()
    with Progress("export", 4, "steps") as progress:
        checkpoints = Artifact.open(plan.upstream["checkpoints"])
        checkpoint = Artifact.open(checkpoints.path(checkpoints.counts["checkpoint"]), kind="checkpoint")
        reader = CheckpointReader(checkpoint, moments=False)
        rounded = RoundedReader(reader, _DTYPES[run.export.dtype])
        base = Base.of_model(run).folder()
        rows = rounded.shapes["model.embed_tokens.weight"][0]
        tokenizer = plan.upstream["tokenizer"] / "hf"
        _write_weights(builder, rounded, Model.of(base, rows), run.export, checkpoint.dir)
        _write_rest(builder, base, tokenizer, _config(base, rows, run))
        progress.advance(1, "written")
        exact = None if run.export.dtype == "float32" else reader
        trained = Trained(base, rounded, exact, reader.shapes, run.pretrain.last_rope_base, run.pretrain.last_seq_len)
        result = _checked(builder, run, trained, tokenizer)
        with builder.file("gate.json") as out:
            out.write(canonical_json(result.to_json()))
        if not result.passed:
            raise _rejected(builder.dir, plan.dir, result)
        progress.advance(1, "gate passed")
        samples = continuations(base, builder.dir / HF, run.export.prompts, run.export.continuation_tokens)
        with builder.file("samples.json") as out:
            out.write(canonical_json(samples))
        progress.advance(1, "continuations written")
        with builder.file(f"{HF}/README.md") as out:
            out.write(card(run, checkpoints.manifest, Artifact.open(tokenizer.parent).manifest, result).encode())
        builder.finish({"tensors": checkpoint.counts["tensors"], "vocabulary": rows, "gate": result.to_json()})
        published = _published(builder.dir, plan.dir)
        progress.advance(1, "published")
    _log.info("gate passed, logits differ by %.1e; %s", result.logits.max_abs_diff, plan.dir)
    return published


def _begun(working: StagePlan) -> Builder:
    """What an attempt that was killed left, or, if it was of another run file or other weights, nothing."""
    try:
        builder = working.build()
    except UserError as error:
        if not working.dir.exists():
            raise
        _log.info("begins anew: %s", error)
        shutil.rmtree(working.dir)
        builder = working.build()
    remove_leftovers(working.dir)
    return builder


def _published(unchecked: Path, final: Path) -> Artifact:
    os.replace(unchecked, final)
    sync_directory(final.parent)
    return Artifact.open(final)


def _write_weights(builder: Builder, rounded: RoundedReader, model: Model, asked: Export, checkpoint: Path) -> None:
    refuse_leftovers(rounded.shapes, model, checkpoint)
    tensors = described(model.shapes, lambda _: _DTYPES[asked.dtype])
    files = write_weights(
        builder.dir / HF,
        tensors,
        lambda name, box: rounded.read(name, box, "master"),
        max_shard_size=asked.max_shard_size,
    )
    builder.written.update({f"{HF}/{name}": record for name, record in files.items()})


def _write_rest(builder: Builder, base: Path, tokenizer: Path, config: dict[str, Any]) -> None:
    with builder.file(f"{HF}/config.json") as out:
        out.write(canonical_json(config))
    generation = base / "generation_config.json"
    if generation.exists():
        with builder.file(f"{HF}/{generation.name}") as out:
            out.write(generation.read_bytes())
    for path in sorted(path for path in tokenizer.rglob("*") if path.is_file()):
        with builder.file(f"{HF}/{path.relative_to(tokenizer)}") as out:
            out.write(path.read_bytes())


def _config(base: Path, rows: int, run: Run) -> dict[str, Any]:
    """The base's config with what changed; RoPE under the names of transformers 4 too, which else reads 10,000."""
    dtype = run.export.dtype
    config = {**read_json(base / "config.json"), "vocab_size": rows, "dtype": dtype, "torch_dtype": dtype}
    return config | rope_entries(config, run.pretrain.last_rope_base) | positions(config, run.pretrain.last_seq_len)


def _checked(builder: Builder, run: Run, trained: Trained, tokenizer: Path) -> GateResult:
    """What the gate finds on the run file's texts, held-out ones of every source, and all new tokens."""
    form = DocumentFormat.from_folder(tokenizer, run.pretrain.end_of_document)
    corpus = Artifact.open(export_plan(run).upstream["corpus"])
    texts = list(run.export.gate.texts)
    for source in run.corpus.sources:
        found = sorted(documents(shards_of(corpus, "held_out", source)) or documents(shards_of(corpus, "kept", source)))
        texts += [text for _, text in found[:_GATE_TEXTS]]
    first = int(read_json(tokenizer.parent / "new_rows.json")["first_new_row"])
    return check.check(builder.dir / HF, trained, form, GateTexts.of(texts, form, first), run.export.gate)


def _rejected(folder: Path, final: Path, result: GateResult) -> UserError:
    rejected = final.with_name(f"{final.name}.rejected")
    shutil.rmtree(rejected, ignore_errors=True)
    os.replace(folder, rejected)
    return UserError(f"{rejected}: the exported folder is not what was trained: {'; '.join(result.failures)}")
