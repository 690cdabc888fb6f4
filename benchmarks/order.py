"""Speed of the sample plan, of packing, and of opening the packed index of 10⁹ sequences."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.figures import Figures, best_seconds, figure
from configs.artifact import Claim
from pretrain.convert.memory import PeakMemory
from pretrain.course import Packing
from pretrain.indexed_tokens import write_documents
from pretrain.packed_source import PackedSequences, PackedShard
from pretrain.packing import PIECE, pack
from pretrain.planned_stage import PlannedStage
from pretrain.sample_plan import SamplePlan
from pretrain.token_shard import TokenShard

# So few that a round ends before another process takes the core.
_LOOKUPS = 200
_SEQ_LEN = 4096
_SEQUENCES = 10**9


def measure() -> Figures:
    """Look-ups in a run of 10¹² samples over 10⁹ sequences, packing of a million documents, opening."""
    opening = _opening()  # first, because memory that packing took would hide what it takes
    plan = SamplePlan(
        1,
        [PlannedStage(10**12, {"web": 0.8, "wiki": 0.15, "code": 0.05})],
        {name: {"4096": Packing("4096", _SEQUENCES, name)} for name in ("web", "wiki", "code")},
    )
    lookups = best_seconds(lambda: [plan.at(k * 10**9) for k in range(_LOOKUPS)], rounds=100)
    tokens_N = np.random.default_rng(0).lognormal(6.0, 1.2, 1_000_000).astype(np.int64) + 2
    seconds = best_seconds(lambda: pack(tokens_N, _SEQ_LEN), rounds=3)
    first_S1, pieces = pack(tokens_N, _SEQ_LEN)
    padding = 1 - int(pieces["length"].sum(dtype=np.int64)) / ((len(first_S1) - 1) * _SEQ_LEN)
    one_after_the_other = 1 - int((tokens_N - 1).sum()) / (_next_fit(tokens_N - 1) * _SEQ_LEN)
    return {
        "order/lookup": figure(lookups / _LOOKUPS * 1e6, "us", limit=20),
        "order/packing": figure(tokens_N.sum() / seconds / 1e6, "Mtokens/s"),
        "order/padding_share": figure(padding, "share", in_order_of_arrival=one_after_the_other),
        **opening,
    }


def _opening() -> Figures:
    """Seconds and memory until the last of 10⁹ sequences is read, of an index that is a sparse file of its size."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_documents(
            Claim(root, "task", "digest"), "web-00000", [(np.arange(9), np.array([9]))], np.dtype(np.uint16)
        )
        index = root / "web-00000.4096"
        for ending, dtype, count in (("sequences.npy", np.int64, _SEQUENCES + 1), ("pieces.npy", PIECE, _SEQUENCES)):
            mapped = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                f"{index}.{ending}", "w+", np.dtype(dtype), (count,)
            )
            # The rest are holes: zeros that take no place on the disk.
            mapped[-1] = 1 if ending == "sequences.npy" else (0, 0, 8)
            mapped.flush()
        size = sum(path.stat().st_size for path in root.glob("*.npy"))
        shard = PackedShard(TokenShard("web-00000", root / "web-00000", 1), index, _SEQUENCES)
        memory = PeakMemory()
        seconds = best_seconds(lambda: PackedSequences([shard]).sequence(_SEQUENCES - 1))
        grown = max(memory.peak - memory.before, resource.getpagesize())
    return {
        "order/open": figure(seconds, "s", limit=1),
        "order/open_memory": figure(grown / 1e6, "MB", index_on_disk=size / 1e6),
    }


def _next_fit(lengths_N: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    """Sequences needed when documents are laid down as they come and a new sequence begins where one does not fit."""
    sequences, room = 0, 0
    for length in (lengths_N % _SEQ_LEN).tolist():
        if length > room:
            sequences, room = sequences + 1, _SEQ_LEN
        room -= length
    return sequences + int((lengths_N // _SEQ_LEN).sum())
