"""`tsugiki pretrain average`: the mean of the weights of several checkpoints, tensor by tensor.

Means are taken in float64 and rounded once, so that how they were computed leaves no trace. Only weights are
averaged: the moments of an optimizer belong to one trajectory.

Source: Izmailov et al. 2018 (arXiv:1803.05407); for the last checkpoints of a constant learning rate,
Hägele et al. 2024 (arXiv:2405.18392).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from configs.errors import UserError
from configs.schema.export import Gate
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import complete
from pretrain.convert.convert import Opening, Report, open_checked, write_from
from pretrain.convert.detect import detect
from pretrain.convert.find_model import find_model
from pretrain.convert.inputs import Identity, identity, of_several
from pretrain.convert.model import Model
from pretrain.convert.options import asked_for
from pretrain.convert.place import Place
from pretrain.convert.source import Format, StateSource
from pretrain.convert.target import Options
from pretrain.engines.base import Kind
from pretrain.quiet import quiet_transformers

_OF_NO_MATTER = ("transformers_version", "_name_or_path", "dtype")
"""Keys of config.json in which folders of one model differ."""


class Averaged:
    """The mean of several sources of one model, as a source; it closes them.

    Args:
        as_stored: whether to round a mean to the number format of its tensors, if they have one; else it is float32.
    """

    has_moments = False
    adam_steps = 0

    def __init__(self, sources: Sequence[StateSource], *, as_stored: bool) -> None:
        self._sources, self._as_stored = sources, as_stored
        self.kind: Format = sources[-1].kind
        self.step = max(source.step for source in sources)
        self.shapes: Mapping[str, tuple[int, ...]] = sources[-1].shapes

    def dtype(self, name: str) -> torch.dtype:
        """That of the sources where they have one, or float32."""
        stored = {source.dtype(name) for source in self._sources}
        return stored.pop() if self._as_stored and len(stored) == 1 else torch.float32

    def has(self, name: str, kind: Kind) -> bool:
        """Weights only."""
        return kind == "master"

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """Mean of a box."""
        first, *others = self._sources
        total = first.read(name, box, kind).to(torch.float64)
        for source in others:
            total += source.read(name, box, kind)
        return (total / len(self._sources)).to(self.dtype(name))

    def close(self) -> None:
        """Let go of all files."""
        for source in self._sources:
            source.close()


def average(
    paths: Sequence[Path],
    to: Format,
    out: Path,
    options: Options,
    *,
    last: int | None = None,
    named: Path | None = None,
    gate: Gate | None = None,
) -> Report:
    """Write the mean of several sources into a folder `out`.

    Args:
        paths: folders of any format; or, with `last`, a run or its checkpoints.
        last: how many of the newest checkpoints to take.
        named: HF folder of the model, where the sources do not say it.
        gate: what a Hugging Face folder must show before it gets its name; none lets it pass.
    Raises:
        UserError: if there are fewer than two, they are not of one model, and as `convert`.
    """
    quiet_transformers()
    found = [detect(path) for path in (_newest(paths, last) if last is not None else paths)]
    folders = [folder for _, folder in found]
    if len(set(folders)) < 2 or len(set(folders)) < len(folders):
        raise UserError("an average is of two folders or more, each named once; a run's newest with --last N")
    models = [find_model(format_, folder, named) for format_, folder in found]
    _refuse_others(folders, models)
    model = models[-1]
    asked = {**asked_for(to, options, gate), "average_of": len(folders)}
    place = Place(out, _of_all([identity(to, asked, folder, model) for folder in folders]))

    def opened() -> Averaged:
        with ExitStack() as until_all_are_open:
            sources = []
            for folder in folders:
                sources.append(open_checked(folder, model))
                until_all_are_open.callback(sources[-1].close)
            until_all_are_open.pop_all()
        return Averaged(sources, as_stored=options.dtype is None and to != "checkpoint")

    source = Opening(found[-1][0], folders, opened)
    return write_from(source, place, to, model, options=options, asked=asked, gate=gate)


def _newest(paths: Sequence[Path], last: int) -> list[Path]:
    if len(paths) != 1:
        raise UserError(f"--last {last} is of the checkpoints of one run, but {len(paths)} folders are named")
    root = paths[0]
    checkpoints = complete(root) or complete(root / "checkpoints")
    if last < 2 or len(checkpoints) < last:
        raise UserError(
            f"{root}: has {len(checkpoints)} complete checkpoint(s), --last {last} takes 2 or more of those there are "
            "(pretrain.checkpoint.keep_last keeps more)"
        )
    return checkpoints[-last:]


def _refuse_others(folders: Sequence[Path], models: Sequence[Model]) -> None:
    """The same numbers must mean the same in all of them."""
    for folder, model in zip(folders[:-1], models[:-1], strict=True):
        mine, theirs = _settings(model), _settings(models[-1])
        differ = sorted(key for key in mine.keys() | theirs.keys() if mine.get(key) != theirs.get(key))
        if differ:
            raise UserError(
                f"{folder}: its model differs from that of {folders[-1]} in {', '.join(differ)}; only checkpoints of "
                "one model have a mean"
            )


def _settings(model: Model) -> dict[str, Any]:
    settings = {key: value for key, value in model.config.to_dict().items() if key not in _OF_NO_MATTER}
    tokenizer = model.carried.get("tokenizer.json")
    return settings | {"tokenizer.json": hashlib.sha256(tokenizer.read_bytes()).hexdigest() if tokenizer else None}


def _of_all(identities: Sequence[Identity]) -> Identity:
    """What decides the bytes of a mean: every source, in order."""
    each = {f"source {number}": one for number, one in enumerate(identities, start=1)}
    sources = {called: one.manifest["inputs"]["source"] for called, one in each.items()}
    return of_several(each, {"model": identities[0].manifest["inputs"]["model"], **sources})
