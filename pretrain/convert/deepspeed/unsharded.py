"""DeepSpeed without ZeRO: one file with torch's own optimizer state, which numbers the parameters and names none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

import torch

from configs.errors import UserError
from pretrain.convert.deepspeed.files import Described
from pretrain.convert.stored import Piece, stored
from pretrain.engines.base import Kind

_Shape = tuple[int, ...]
_KINDS: tuple[Kind, ...] = get_args(Kind)


def unsharded(file: Described) -> tuple[dict[str, _Shape], dict[tuple[str, Kind], list[Piece]], list[Any]]:
    """Shapes by name, where everything is, and Adam's step counts with their file.

    Raises:
        UserError: if it does not follow from the shapes which parameter is which of the optimizer's.
    """
    weights = dict(_weights(file))
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    held: dict[tuple[str, Kind], list[Piece]] = {
        (name, "master"): [Piece(0, stored(file.path, tensor))] for name, tensor in weights.items()
    }
    groups = _groups(file)
    counts: list[Any] = []
    for name, parts in _by_name(file, groups, shapes):
        held |= {(name, kind): [Piece(0, stored(file.path, parts[kind]))] for kind in _KINDS if kind in parts}
        if "step" in parts:
            counts.append((file.path, parts["step"]))
    return shapes, held, counts


def _weights(file: Described) -> Iterator[tuple[str, torch.Tensor]]:
    """Parameters of the module in their order, each once however many names it has."""
    seen = set()
    buffers = set(file.get("buffer_names"))
    for name, tensor in file.get("module").items():
        if name not in buffers:
            place = (stored(file.path, tensor), tuple(tensor.shape))
            if place not in seen:
                yield name, tensor
            seen.add(place)


def _groups(file: Described) -> list[tuple[Mapping[str, Any], list[dict[str, Any]]]]:
    """The optimizer's groups: settings, and of each parameter its moments, step and fp32 weights, as far as stored."""
    optimizer = file.get("optimizer")
    if optimizer is None:
        return []
    if "fp32_groups_flat" in optimizer:
        raise UserError(
            f"{file.path}: without ZeRO and with a fused Adam, DeepSpeed does not write which numbers are of which "
            "parameter; load it with DeepSpeed, save it with ZeRO stage 1, and convert that"
        )
    masters = optimizer.get("fp32_groups")  # a 16-bit model's
    optimizer = optimizer.get("optimizer_state_dict", optimizer)
    groups = []
    for at, group in enumerate(optimizer["param_groups"]):
        parts = [dict(optimizer["state"].get(number, {})) for number in group["params"]]
        if masters is not None:
            parts = [{**part, "master": master} for part, master in zip(parts, masters[at], strict=True)]
        groups.append((group, parts))
    return groups


def _by_name(
    file: Described, groups: Sequence[tuple[Mapping[str, Any], list[dict[str, Any]]]], shapes: Mapping[str, _Shape]
) -> Iterator[tuple[str, dict[str, Any]]]:
    if not any(part for _, parts in groups for part in parts):
        return
    if all("param_names" in group for group, _ in groups):
        names = [list(group["param_names"]) for group, _ in groups]
    else:
        names = _inferred(file, [[_shape(part) for part in parts] for _, parts in groups], shapes)
    for of_group, (_, parts) in zip(names, groups, strict=True):
        yield from zip(of_group, parts, strict=True)


def _shape(part: Mapping[str, Any]) -> _Shape | None:
    return next((tuple(part[kind].shape) for kind in ("exp_avg", "master") if kind in part), None)


def _inferred(file: Described, wanted: list[list[_Shape | None]], shapes: Mapping[str, _Shape]) -> list[list[str]]:
    """Names of each group's parameters: the only ones of these shapes in the model's order."""
    matrices = {name: shape for name, shape in shapes.items() if len(shape) > 1}
    vectors = {name: shape for name, shape in shapes.items() if len(shape) <= 1}
    orders: list[list[Mapping[str, _Shape]]] = [[shapes], [matrices, vectors], [vectors, matrices]]
    found = []
    for order in (order for order in orders if len(order) == len(wanted)):
        names = [_only_match(some, among) for some, among in zip(wanted, order, strict=True)]
        if all(one is not None for one in names):
            found.append([one for one in names if one is not None])
    if len(found) != 1:
        raise UserError(
            f"{file.path}: without ZeRO, DeepSpeed does not write which parameter is which of the optimizer's "
            f"{sum(map(len, wanted))}, and it does not follow from their shapes; load it with DeepSpeed, save it "
            "with ZeRO stage 1, and convert that"
        )
    return found[0]


def _only_match(wanted: Sequence[_Shape | None], among: Mapping[str, _Shape]) -> list[str] | None:
    """The names of these shapes in this order, if there is exactly one choice of them."""
    earliest = _greedy(wanted, list(among.items()))
    latest = _greedy(wanted[::-1], list(among.items())[::-1])
    return earliest if latest is not None and earliest == latest[::-1] else None


def _greedy(wanted: Sequence[_Shape | None], among: Sequence[tuple[str, _Shape]]) -> list[str] | None:
    rest = iter(among)
    found = [next((name for name, shape in rest if one in (None, shape)), None) for one in wanted]
    names = [name for name in found if name is not None]
    return names if len(names) == len(wanted) else None
