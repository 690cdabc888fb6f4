"""Ranks agree on a kernel: one that a single rank cannot use is used by none."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from tests.pretrain.attention import one_rank
from tsugiki.processes import run_together


@pytest.mark.slow
def test_a_kernel_that_one_rank_cannot_use_is_taken_by_none(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "GLOO_SOCKET_IFNAME": "lo"}
    run_together([sys.executable, one_rank.__file__, str(tmp_path)], 2, {**environment, "CUDA_VISIBLE_DEVICES": ""})
    for rank in range(2):
        chosen, refused = json.loads((tmp_path / f"rank{rank}.json").read_text())
        reason = "on rank 1 it raises RuntimeError: no such driver"
        assert chosen == {"kernel": "flex", "passed_over": {"varlen": reason}}
        assert f"'varlen' cannot be used: {reason};" in refused["error"]
