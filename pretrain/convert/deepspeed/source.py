"""Checkpoints that DeepSpeed wrote, as a source: ZeRO 0 to 3, any number of ranks. DeepSpeed is not needed."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.convert.deepspeed.files import Described, Files, open_files
from pretrain.convert.deepspeed.layout import Stretch, cut_evenly, end_to_end, evenly_cut_length
from pretrain.convert.deepspeed.unsharded import unsharded
from pretrain.convert.model import Model
from pretrain.convert.source import Format
from pretrain.convert.stored import FlatReader, Piece, check_whole, stored
from pretrain.engines.base import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)

_Held = dict[tuple[str, Kind], list[Piece]]


class DeepSpeedSource:
    """The state in the files of one checkpoint; names that a wrapper put before the model's are cut off.

    Raises:
        UserError: if a file is missing, damaged or not DeepSpeed's, or they do not fit each other.
    """

    kind: Format = "deepspeed"

    def __init__(self, folder: Path, model: Model) -> None:
        self._reader = FlatReader()
        files = open_files(folder)
        shapes, held, counts = _described(files)
        prefix = _prefix(shapes, model)
        self.shapes = {_named(name, prefix): shape for name, shape in shapes.items()}
        steps = self._adam_steps(counts, folder)
        # Moments before the first step are zeros: no more than none.
        kinds = KINDS if steps else KINDS[:1]
        self._held = {(_named(name, prefix), kind): pieces for (name, kind), pieces in held.items() if kind in kinds}
        for (name, kind), pieces in self._held.items():
            check_whole(pieces, self.shapes[name], f"{folder}: {name} ({kind})")
        self.step = int(files.model.get("global_steps"))
        self.adam_steps = steps

    def _adam_steps(self, counts: Iterable[Any], folder: Path) -> int:
        """One count of all groups: none of the other formats could hold several."""
        found = set()
        for path, count in counts:
            found.add(int(self._reader.number(stored(path, count)) if isinstance(count, torch.Tensor) else count))
        if len(found) > 1:
            raise UserError(
                f"{folder}: Adam has taken {', '.join(map(str, sorted(found)))} steps, each for a part of the "
                "parameters; other formats have one count for all"
            )
        return found.pop() if found else 0

    @property
    def has_moments(self) -> bool:
        return any(kind == "exp_avg" for _, kind in self._held)

    def dtype(self, name: str) -> torch.dtype:
        return self._held[name, "master"][0].stored.dtype

    def has(self, name: str, kind: Kind) -> bool:
        return (name, kind) in self._held

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        return self._reader.read(self._held[name, kind], self.shapes[name], box)

    def close(self) -> None:
        self._reader.close()


def open_deepspeed(folder: Path, model: Model) -> DeepSpeedSource:
    """What `save_checkpoint` wrote into the folder of one tag."""
    return DeepSpeedSource(folder, model)


def _described(files: Files) -> tuple[dict[str, tuple[int, ...]], _Held, list[Any]]:
    """Shapes by name, where everything is, and Adam's step counts with their files."""
    if not files.optimizers:
        return unsharded(files.model)
    held: dict[tuple[str, Kind], list[Piece]] = defaultdict(list)
    first = files.optimizers[0]
    in_partitions = first.state.get("zero_stage") == 3
    groups = [_shapes(group) for group in files.model.get("param_shapes")]
    parts = [_rank_parts(one, len(groups), in_partitions) for one in files.optimizers]
    counts = [
        (one.path, part["step"])
        for one, of_rank in zip(files.optimizers, parts, strict=True)
        for part in of_rank
        if "step" in part
    ]
    stretches = _in_partitions(files, groups) if in_partitions else _end_to_end(files, groups, parts)
    for stretch in stretches:
        path, part = files.optimizers[stretch.rank].path, parts[stretch.rank][stretch.group]
        for kind in KINDS:
            if kind in part:
                held[stretch.name, kind].append(_piece(path, part[kind], stretch))
    shapes = {name: shape for group in groups for name, shape in group.items()}
    frozen = _frozen_partitions(files) if in_partitions else _frozen(files.model, shapes)
    for name, shape, piece in frozen:
        shapes[name] = shape
        held[name, "master"].append(piece)
    return shapes, held, counts


def _piece(path: Path, flat: torch.Tensor, stretch: Stretch) -> Piece:
    if stretch.offset + stretch.count > flat.numel():
        raise UserError(
            f"{path}: its flat tensor {stretch.group} has {flat.numel():,} numbers, and {stretch.name} is to be at "
            f"{stretch.offset:,} to {stretch.offset + stretch.count:,}; the shapes do not belong to it"
        )
    return Piece(stretch.first, stored(path, flat).part(stretch.offset, stretch.count))


def _shapes(described: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {str(name): tuple(shape) for name, shape in described.items()}


def _rank_parts(optimizer: Described, groups: int, in_partitions: bool) -> list[dict[str, Any]]:
    """What a rank has of each group: flat tensors by kind, and Adam's count of steps."""
    masters = optimizer.get("fp32_flat_groups" if in_partitions else "single_partition_of_fp32_groups")
    if len(masters) != groups:
        raise UserError(f"{optimizer.path}: has {len(masters)} flat tensors for {groups} groups of parameters")
    state = optimizer.get("optimizer_state_dict" if in_partitions else "base_optimizer_state")
    if isinstance(state, list):  # "elastic": by group, without settings
        moments = state
        common = optimizer.state.get("base_optimizer_state_step")
    else:
        # torch numbers the parameters of all groups one after the other, and a flat tensor is one parameter.
        numbered = Described(optimizer.path, state).get("state")
        moments = [numbered.get(group, {}) for group in range(groups)]
        common = next((one["step"] for one in state["param_groups"] if "step" in one), None)
    parts = [{"master": master, **moment} for master, moment in zip(masters, moments, strict=True)]
    for part in parts:
        if "exp_avg" in part and common is not None:
            part.setdefault("step", common)
    return parts


def _end_to_end(files: Files, groups: list[dict[str, tuple[int, ...]]], parts: Any) -> Iterator[Stretch]:
    for at, shapes in enumerate(groups):
        first = files.optimizers[0]
        # DeepSpeed cuts the padding off; its bfloat16 optimizer, which says no stage, does not.
        cut_off = first.get("group_paddings")[at] if "zero_stage" in first.state else 0
        partition = parts[0][at]["master"].numel() + cut_off
        if partition * files.ranks < sum(map(math.prod, shapes.values())):
            raise UserError(
                f"{first.path}: {files.ranks} partitions of {partition:,} numbers are too small for group {at} of "
                "the parameters"
            )
        aligned = first.state.get("param_alignment_paddings")
        yield from end_to_end(at, shapes, partition, paddings=aligned[at] if aligned is not None else None)


def _in_partitions(files: Files, groups: list[dict[str, tuple[int, ...]]]) -> Iterator[Stretch]:
    for at, shapes in enumerate(groups):
        length = evenly_cut_length(shapes, files.ranks)
        for one in files.optimizers:
            here = one.get("fp32_flat_groups")[at].numel()
            if here != length:
                raise UserError(
                    f"{one.path}: its flat tensor {at} has {here:,} numbers; parameters cut for {files.ranks} ranks "
                    f"make {length:,}"
                )
        yield from cut_evenly(at, shapes, files.ranks)


def _frozen(model: Described, trained: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...], Piece]]:
    """ZeRO 1 and 2: what is not in the optimizer is whole, in the model's number format."""
    shared = model.get("shared_params") or {}
    others = {*trained, *shared, *model.get("buffer_names")}
    listed = model.state.get("frozen_param_shapes")  # not by ZeRO 1
    for name, tensor in model.get("module").items():
        if name not in others and (listed is None or name in listed):
            yield name, tuple(tensor.shape), Piece(0, stored(model.path, tensor))


def _frozen_partitions(files: Files) -> Iterator[tuple[str, tuple[int, ...], Piece]]:
    """ZeRO 3: each rank has an even share."""
    shapes = _shapes(files.model.state.get("frozen_param_shapes") or {})
    for name, shape in shapes.items():
        for stretch in cut_evenly(0, {name: shape}, files.ranks):
            one = files.models[stretch.rank]
            yield name, shape, _piece(one.path, one.get("frozen_param_fragments")[name], stretch)


def _prefix(shapes: Mapping[str, Any], model: Model) -> str:
    """What a wrapper of the model puts before every name."""
    inner = next(iter(model.shapes))
    return next((name.removesuffix(inner) for name in shapes if name.endswith(f".{inner}")), "")


def _named(name: str, prefix: str) -> str:
    return name.removeprefix(prefix)
