"""The tasks about what must not be trained on: pieces of held-out texts by shard, then one look-up for all processes.

.tasks/held_out_pieces/KEY.bin     of each held-out document of a shard, as it is written later, the pieces
.tasks/overlap/{sets,held_out}.bin the items that are looked for; mapped into memory by every task that looks
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from configs.artifact import TASKS, Claim
from configs.schema.decontaminate import Decontaminate
from corpus.arrays import mapped_arrays, write_arrays
from corpus.decide_task import HELD_OUT, with_decisions
from corpus.decontaminate import Overlap, evaluation_items, held_out_grams
from corpus.kernels.overlap import Items
from corpus.kernels.utf8 import UInt64
from corpus.line_task import repeated_lines, without_lines
from corpus.stage import evaluation_files
from corpus.tally import Tally

_ITEMS = (np.uint64, np.int32, np.uint64, np.int64, np.int32, np.int32, np.int32)
"""Of the fields of `Items`."""


@dataclass(frozen=True)
class HeldOutArgument:
    """A shard, and where it stands which lines go from its source."""

    key: str
    repeated: tuple[str, ...]


@dataclass(frozen=True)
class OverlapArgument:
    """All shards of which held-out texts are looked for, and the evaluation sets."""

    keys: tuple[str, ...]
    settings: Decontaminate


def gather_held_out(claim: Claim, argument: HeldOutArgument) -> None:
    """Write the pieces of a shard's held-out documents, as they are written later."""
    gone = repeated_lines(claim.dir, argument.repeated)
    grams: list[UInt64] = []
    for batch in with_decisions(claim.dir, argument.key):
        chosen = batch.filter(pc.fill_null(pc.equal(batch.column("reason"), HELD_OUT), False))
        if chosen.num_rows:
            chosen = without_lines(chosen, gone, Tally())
            left = chosen.filter(pc.equal(chosen.column("reason"), HELD_OUT))
            grams += held_out_grams(left.column("text").to_pylist())
    with claim.file(_pieces_path(argument.key)) as out:
        sizes = np.array([one.size for one in grams], np.int64)
        write_arrays(out, [sizes, np.concatenate([np.empty(0, np.uint64), *grams])])


def make_overlap(claim: Claim, argument: OverlapArgument) -> dict[str, int]:
    """Write what is looked for; gives how many items of each evaluation set there are."""
    held_out: list[UInt64] = []
    for key in argument.keys:
        sizes, grams = mapped_arrays(claim.dir / _pieces_path(key), (np.int64, np.uint64))
        held_out += np.split(grams, np.cumsum(sizes)[:-1]) if sizes.size else []
    items = evaluation_items(argument.settings, evaluation_files(argument.settings))
    overlap = Overlap.of(items, held_out, argument.settings)
    for name in ("sets", "held_out"):
        with claim.file(_items_path(name)) as out:
            write_arrays(out, tuple(vars(getattr(overlap, name)).values()))
    return dict(overlap.looked_for)


def mapped_overlap(directory: Path, settings: Decontaminate, looked_for: Mapping[str, int]) -> Overlap:
    """What `make_overlap` wrote and gave."""
    sets, held_out = (Items(*mapped_arrays(directory / _items_path(name), _ITEMS)) for name in ("sets", "held_out"))
    return Overlap(settings, looked_for, sets, held_out)


def _pieces_path(key: str) -> str:
    return f"{TASKS}/held_out_pieces/{key}.bin"


def _items_path(name: str) -> str:
    return f"{TASKS}/overlap/{name}.bin"
