"""megatron-core's torch_dist checkpoints as a target, in the layout of folders that Megatron-LM loads.

OUT/latest_checkpointed_iteration.txt     the number of steps, or `release` where there are none
OUT/iter_0000040/                         or OUT/release/: what dist_checkpointing.load reads
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial, reduce
from math import prod
from pathlib import Path
from typing import Any, get_args

import torch
from transformers import PretrainedConfig

from configs.errors import UserError
from configs.progress import Progress
from configs.schema.pretrain import Optim
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.stream import cast, pieces
from pretrain.convert.find_model import BESIDE
from pretrain.convert.hf import files_of, teller
from pretrain.convert.megatron import dcp_files as dist
from pretrain.convert.megatron import names
from pretrain.convert.model import Model
from pretrain.convert.source import DTYPES, StateSource
from pretrain.convert.target import Options, Written, write_files
from pretrain.engines.base import Kind
from pretrain.models.rows import Row, Stacked, local_box

POINTER = "latest_checkpointed_iteration.txt"


def write(source: StateSource, out: Path, model: Model, options: Options, progress: Progress) -> Written:
    """Write weights, and masters and moments if the source has them, as so many ranks would have saved them.

    Raises:
        UserError: if the model cannot be cut up so, or the disk is full.
    """
    refuse_layout(model.config, options.tp, options.pp)
    chunks = _Chunks(source, model, options)
    files: dict[str, list[dist.Item]] = {}
    for stage in range(options.pp):
        for tp_rank in range(options.tp):
            files |= dist.into_files(stage * options.tp + tp_rank, chunks.of_rank(stage, tp_rank))
    folder = f"iter_{source.step:07d}" if source.step else "release"
    jobs = {f"{folder}/{name}": job for name, job in dist.jobs(files, teller(progress))}
    for name, data in {
        f"{folder}/common.pt": _saved(_common(source)),
        f"{folder}/metadata.json": json.dumps(_FORMAT).encode(),
        POINTER: (str(source.step) if source.step else "release").encode(),
    }.items():
        jobs[name] = _writing(data)
    jobs |= {f"{BESIDE}/{name}": job for name, job in files_of(model, chunks.common_dtype).items()}
    return Written(write_files(out, jobs), {"tensors": len(model.shapes)})


def refuse_layout(config: PretrainedConfig, tp: int, pp: int) -> None:
    """See that Megatron could train the model in this layout.

    Raises:
        UserError: names every dimension that cannot be shared evenly, or if there are no ranks.
    """
    if tp < 1 or pp < 1:
        raise UserError(f"--tp {tp} and --pp {pp}: a layout has at least one rank of each")
    dimensions = (
        ("attention heads", config.num_attention_heads, "--tp", tp),
        ("key/value heads", config.num_key_value_heads, "--tp", tp),
        ("hidden size", config.hidden_size, "--tp", tp),
        ("feed-forward size", config.intermediate_size, "--tp", tp),
        ("layers", config.num_hidden_layers, "--pp", pp),
    )
    wrong = [f"{count} {what} by {flag} {share}" for what, count, flag, share in dimensions if count % share]
    if wrong:
        raise UserError(f"cannot be shared evenly: {', '.join(wrong)}; any layout can load what another wrote")


class _Chunks:
    """What each rank of a layout would save."""

    def __init__(self, source: StateSource, model: Model, options: Options) -> None:
        self._source, self._rows = source, model.rows
        self._dtype = None if options.dtype is None else DTYPES[options.dtype]
        self._tp, self._pp = options.tp, options.pp
        self._layers: int = model.config.num_hidden_layers
        self._vocab_rows: int = model.config.vocab_size
        self._per_stage: int = self._layers // options.pp

    def of_rank(self, stage: int, tp_rank: int) -> Iterator[dist.Item]:
        here = range(stage * self._per_stage, (stage + 1) * self._per_stage)
        if tp_rank == 0:
            for key in names.extra_states(here, self._layers, last=stage == self._pp - 1):
                yield dist.ObjectItem(key, _NO_EXTRA_STATE)
        for row in self._rows:
            key, layer = names.written(row.core)
            if self._stage(key, layer) == stage and (row.tp_dim is not None or tp_rank == 0):
                for kind, before, dtype in self._kinds(row):
                    for run in self._runs(row, tp_rank):
                        yield self._item(row, before + key, layer, run, kind, dtype)

    @property
    def common_dtype(self) -> torch.dtype | None:
        """The one number format of all weights, if it is one."""
        dtypes = {dtype for row in self._rows for _, before, dtype in self._kinds(row) if not before}
        return dtypes.pop() if len(dtypes) == 1 else None

    def _stage(self, key: str, layer: int | None) -> int:
        if layer is not None:
            return layer // self._per_stage
        return 0 if key.startswith("embedding.") else self._pp - 1

    def _kinds(self, row: Row) -> Iterator[tuple[Kind, str, torch.dtype]]:
        """What is saved of a parameter: the weights, then what the optimizer holds."""
        widest = reduce(torch.promote_types, map(self._source.dtype, row.hf_shapes))
        yield "master", "", self._dtype or widest
        for kind in get_args(Kind):
            if self._source.has_moments and all(self._source.has(name, kind) for name in row.hf_shapes):
                yield kind, names.OPTIMIZER_KEYS[kind], torch.float32

    def _runs(self, row: Row, tp_rank: int) -> Iterator[Box]:
        """What a rank holds of the unfolded parameter, in stretches of rows."""
        of_vocabulary = row.tp_dim == 0 and row.shape[0] == self._vocab_rows
        share = -(-self._vocab_rows // self._tp)
        box = local_box(row, tp_rank, self._tp, padded_rows=share * self._tp if of_vocabulary else None)
        here = box.intersect(Box.whole(row.shape))
        if here is None:  # a small vocabulary on many ranks
            return
        if not isinstance(row, Stacked):
            yield here
            return
        for slot in range(row.shape[0]):  # as megatron-core's factory for gated layers does
            yield Box((slot, *here.offsets[1:]), (1, *here.sizes[1:]))

    def _item(self, row: Row, key: str, layer: int | None, run: Box, kind: Kind, dtype: torch.dtype) -> dist.TensorItem:
        folded = row.shape[: row.folded]
        axis, offset = ((), ()) if layer is None else ((self._layers,), (layer,))
        first = names.flat_index(folded, run.offsets)
        box = Box(
            (*offset, first, *run.offsets[row.folded :]),
            (*(1 for _ in axis), prod(run.sizes[: row.folded]), *run.sizes[row.folded :]),
        )
        shape = (*axis, prod(folded), *row.shape[row.folded :])
        return dist.TensorItem(key, shape, box, dtype, lambda: self._reads(row, run, kind, dtype))

    def _reads(self, row: Row, run: Box, kind: Kind, dtype: torch.dtype) -> Iterator[Callable[[], torch.Tensor]]:
        # Each piece is a stretch of rows of the run.
        for piece in sorted(row.to_hf(run), key=lambda piece: piece.core):
            for part in pieces(piece.hf.sizes, dtype.itemsize):
                offsets = tuple(a + b for a, b in zip(piece.hf.offsets, part.offsets, strict=True))
                yield partial(self._values, piece.name, Box(offsets, part.sizes), kind, dtype)

    def _values(self, name: str, box: Box, kind: Kind, dtype: torch.dtype) -> torch.Tensor:
        return cast(self._source.read(name, box, kind), dtype, name)


_FORMAT = {
    "sharded_backend": "torch_dist",
    "sharded_backend_version": 1,
    "common_backend": "torch",
    "common_backend_version": 1,
}

_METADATA = {
    "distrib_optim_sharding_type": "fully_reshardable",
    "distrib_optim_fully_reshardable_mem_efficient": False,
    "singleton_local_shards": False,
    "non_homogeneous_layers": False,
    "chained_optim_avoid_prefix": True,
}
"""How the names are meant; Megatron-LM asks for the tensors as it says here."""


def _common(source: StateSource) -> dict[str, Any]:
    common: dict[str, Any] = {"checkpoint_version": 3.0, "iteration": source.step, "content_metadata": _METADATA}
    if source.has_moments:
        groups = [_group(decay, source.adam_steps) for decay in (1.0, 0.0)]
        common["optimizer"] = {
            "optimizer": {"param_groups": groups},
            "param_state_sharding_type": _METADATA["distrib_optim_sharding_type"],
        }
    return common


def _group(decay: float, adam_steps: int) -> Mapping[str, Any]:
    """A group of parameters as Megatron's optimizer has it: matrices with decay, vectors without.

    The scheduler sets rate and decay at every step; betas and eps are this program's defaults.
    """
    optim = Optim()
    identity = {"wd_mult": decay, "lr_mult": 1.0, "is_expert_parallel": False, "is_decoupled_lr": False}
    group = {**identity, "lr": optim.lr, "betas": optim.betas, "eps": optim.eps, "weight_decay": optim.weight_decay}
    return {**group, "step": adam_steps}


def _saved(value: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


_NO_EXTRA_STATE = _saved([torch.empty(0, dtype=torch.uint8)])
"""What Transformer Engine's modules save where there is no FP8; a list, because megatron-core puts it into one."""


def _writing(data: bytes) -> dist.Job:
    return lambda file: file.write(data)
