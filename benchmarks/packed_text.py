"""Random documents, packed on the disk, and the loader by which training reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from configs.artifact import Claim
from pretrain.batching import Batching
from pretrain.course import Packing
from pretrain.indexed_tokens import token_dtype, write_documents
from pretrain.loader import Loader
from pretrain.pack_task import WholeArgument, pack_whole
from pretrain.packed_source import PackedSequences, PackedShard
from pretrain.planned_stage import PlannedStage
from pretrain.sample_plan import SamplePlan
from pretrain.token_shard import TokenShard

_DOCUMENTS = 2000


def loader(folder: Path, vocabulary: int, seq_len: int) -> Loader:
    """A loader of optimizer steps of one sequence, in which documents are about as long as web pages are."""
    random = np.random.default_rng(0)
    length_N = random.lognormal(6.0, 1.2, _DOCUMENTS).astype(np.int64) + 2
    tokens_T = random.integers(0, vocabulary, int(length_N.sum()))
    claim, name, packing = Claim(folder, "task", "digest"), "web-00000", str(seq_len)
    write_documents(claim, name, [(tokens_T, length_N)], token_dtype(vocabulary))
    shard = TokenShard(name, folder / name, _DOCUMENTS)
    sequences = pack_whole(claim, WholeArgument(shard, packing, seq_len))["sequences"]
    source = PackedSequences([PackedShard(shard, folder / f"{name}.{packing}", sequences)])
    stages = [PlannedStage(10**6, {"web": 1.0}, seq_len)]
    plan = SamplePlan(1, stages, {"web": {packing: Packing(packing, sequences, "web")}})
    return Loader(plan, {"web": {packing: source}}, [Batching(0, 0, 1, 1, seq_len)], 0)
