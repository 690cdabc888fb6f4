"""Ranks agree on a kernel: one that a single rank cannot use is used by none."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pretrain.attention import one_rank


@pytest.mark.slow
def test_a_kernel_that_one_rank_cannot_use_is_taken_by_none(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = []
    for rank in range(2):
        more = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
        environment = {**os.environ, **more, "MASTER_PORT": str(port), "GLOO_SOCKET_IFNAME": "lo"}
        environment |= {"PYTHONPATH": str(Path(__file__).parents[3]), "CUDA_VISIBLE_DEVICES": ""}
        running.append(subprocess.Popen([sys.executable, one_rank.__file__, str(tmp_path)], env=environment))
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    for rank in range(2):
        chosen, refused = json.loads((tmp_path / f"rank{rank}.json").read_text())
        reason = "on rank 1 it raises RuntimeError: no such driver"
        assert chosen == {"kernel": "flex", "passed_over": {"varlen": reason}}
        assert f"'varlen' cannot be used: {reason};" in refused["error"]
