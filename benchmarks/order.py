"""Speed of the sample plan and of packing."""

from __future__ import annotations

import numpy as np

from benchmarks.figures import Figures, best_seconds, figure
from pretrain.course import Packing
from pretrain.packing import pack
from pretrain.planned_stage import PlannedStage
from pretrain.sample_plan import SamplePlan

_LOOKUPS = 2_000
_SEQ_LEN = 4096


def measure() -> Figures:
    """Look-ups in a run of 10¹² samples over 10⁹ sequences, and packing of a million documents."""
    plan = SamplePlan(
        1,
        [PlannedStage(10**12, {"web": 0.8, "wiki": 0.15, "code": 0.05})],
        {name: {"4096": Packing("4096", 10**9, name)} for name in ("web", "wiki", "code")},
    )
    lookups = best_seconds(lambda: [plan.at(k * 10**8) for k in range(_LOOKUPS)])
    tokens_N = np.random.default_rng(0).lognormal(6.0, 1.2, 1_000_000).astype(np.int64) + 2
    seconds = best_seconds(lambda: pack(tokens_N, _SEQ_LEN), rounds=3)
    first_S1, pieces = pack(tokens_N, _SEQ_LEN)
    padding = 1 - int(pieces["length"].sum(dtype=np.int64)) / ((len(first_S1) - 1) * _SEQ_LEN)
    one_after_the_other = 1 - int((tokens_N - 1).sum()) / (_next_fit(tokens_N - 1) * _SEQ_LEN)
    return {
        "order/lookup": figure(lookups / _LOOKUPS * 1e6, "us", limit=20),
        "order/packing": figure(tokens_N.sum() / seconds / 1e6, "Mtokens/s"),
        "order/padding_share": figure(padding, "share", in_order_of_arrival=one_after_the_other),
    }


def _next_fit(lengths_N: np.ndarray[tuple[int], np.dtype[np.int64]]) -> int:
    """Sequences needed when documents are laid down as they come and a new sequence begins where one does not fit."""
    sequences, room = 0, 0
    for length in (lengths_N % _SEQ_LEN).tolist():
        if length > room:
            sequences, room = sequences + 1, _SEQ_LEN
        room -= length
    return sequences + int((lengths_N // _SEQ_LEN).sum())
