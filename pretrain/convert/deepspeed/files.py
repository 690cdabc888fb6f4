"""The files of a checkpoint that DeepSpeed's `save_checkpoint` wrote: which there are, and whether all are there.

ZeRO 0 to 2 write one file with the model; ZeRO 3 one of each rank, with nothing but shapes in it. ZeRO 1 to 3 write
a file with each rank's share of the optimizer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import UserError
from pretrain.convert.pickles import DEEPSPEED, read_plain

_NAME = re.compile(r"(?:(bf16_|fp16_)?zero_pp_rank_(\d+)_)?mp_rank_(\d+)_(model|optim)_states\.pt")


@dataclass(frozen=True)
class Described:
    """A file, its tensors without their numbers."""

    path: Path
    state: Mapping[str, Any]

    def get(self, key: str) -> Any:
        """A value that DeepSpeed writes.

        Raises:
            UserError: if there is none.
        """
        if not isinstance(self.state, Mapping) or key not in self.state:
            raise UserError(f"{self.path}: has no {key!r}, which DeepSpeed's save_checkpoint writes")
        return self.state[key]

    def within(self, key: str) -> Described:
        """A mapping in it, as if it were the file."""
        return Described(self.path, self.get(key))


@dataclass(frozen=True)
class Files:
    """All files of a checkpoint."""

    folder: Path
    ranks: int
    models: list[Described]
    """By rank; one that is for all ranks unless ZeRO 3 wrote it."""
    optimizers: list[Described]
    """By rank; none without ZeRO."""

    @property
    def model(self) -> Described:
        """That of the first rank."""
        return self.models[0]


def open_files(folder: Path) -> Files:
    """Read what describes the files of a checkpoint, and see that none is missing and none too many.

    Raises:
        UserError: if that is not so, a file is damaged, or it is of a model that was cut up by more than ZeRO.
    """
    found = _by_rank(folder)
    models = [read_file(path) for path in found["model"].values()]
    ranks = int(models[0].get("dp_world_size"))
    partitioned = len(models) > 1 or models[0].path.name.startswith("zero_")
    zero = models[0].get("param_shapes") is not None
    _refuse_others(folder, found["model"], ranks if partitioned else 1, "model")
    _refuse_others(folder, found["optim"], ranks if zero else 0, "optim")
    optimizers = [read_file(path).within("optimizer_state_dict") for path in found["optim"].values()]
    if (folder / "offloaded_tensors").exists():
        raise UserError(f"{folder}: part of the state is in offloaded_tensors, as NVMe offload left it; unsupported")
    return Files(folder, ranks, models, optimizers)


def read_file(path: Path) -> Described:
    """What describes one file."""
    return Described(path, read_plain(path, path, stand_ins=DEEPSPEED, device="meta"))


def _by_rank(folder: Path) -> dict[str, dict[int, Path]]:
    found: dict[str, dict[int, Path]] = {"model": {}, "optim": {}}
    for path in sorted(folder.glob("*.pt")):
        named = _NAME.fullmatch(path.name)
        if named is None or int(named[3]) > 0:
            raise UserError(
                f"{path}: belongs to a model that is cut up by more than ZeRO (tensor, pipeline or expert "
                "parallelism), or is not DeepSpeed's; unsupported"
            )
        rank, kind = int(named[2] or 0), found[named[4]]
        if rank in kind:
            raise UserError(f"{folder}: both {kind[rank].name} and {path.name} are of rank {rank}; remove the older")
        kind[rank] = path
    if not found["model"]:
        raise UserError(f"{folder}: has no *_model_states.pt")
    return {kind: dict(sorted(paths.items())) for kind, paths in found.items()}


def _refuse_others(folder: Path, found: Mapping[int, Path], ranks: int, kind: str) -> None:
    missing, more = sorted(set(range(ranks)) - set(found)), sorted(set(found) - set(range(ranks)))
    if missing:
        named = ", ".join(map(str, missing[:8])) + ("" if len(missing) <= 8 else f" and {len(missing) - 8} more")
        raise UserError(
            f"{folder}: {ranks} rank(s) wrote it and *_{kind}_states.pt of rank {named} is missing; copy it here"
        )
    if more:
        raise UserError(
            f"{found[more[0]]}: is of rank {more[0]}, but {ranks} rank(s) wrote this checkpoint; "
            "it is left over from another, remove it"
        )
