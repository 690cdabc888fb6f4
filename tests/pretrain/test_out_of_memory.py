"""Memory that runs out is told with the settings that take less of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from configs.errors import UserError
from configs.schema.pretrain import Pretrain
from pretrain.out_of_memory import told, ways_out

# Takes more than the process may have, as a forward pass would: through torch, and through NumPy.
_LIMITED = """
import resource, sys
import numpy, torch
from configs.errors import UserError
from configs.schema.pretrain import Pretrain
from pretrain.out_of_memory import told
settings = Pretrain(base="b", micro_batch=4, stages={"all": {"tokens": 8, "mixture": {"a": 1}}})
pages = int(open("/proc/self/statm").read().split()[0])
limit = pages * resource.getpagesize() + 2**28
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    with told(settings, 3):
        torch.zeros(2**30) if sys.argv[1] == "torch" else numpy.zeros(2**30)
except UserError as error:
    print(error)
"""


def settings(**changes: Any) -> Pretrain:
    stages = {"short": {"tokens": 8, "mixture": {"a": 1}}, "long": {"tokens": 8, "mixture": {"a": 1}, "seq_len": 8192}}
    return Pretrain.model_validate({"base": "b", "stages": stages, **changes})


@pytest.mark.parametrize(
    ("allocator", "wanted"),
    [pytest.param("torch", " (it asked for 4294967296 bytes more)", id="torch"), pytest.param("numpy", "", id="NumPy")],
)
def test_a_host_that_has_no_more_is_told_with_rank_and_settings(allocator: str, wanted: str) -> None:
    child = [sys.executable, "-c", _LIMITED, allocator]
    printed = subprocess.run(child, check=True, capture_output=True, text=True).stdout
    assert printed == (
        f"rank 3: out of host memory{wanted}; to need less, change pretrain.micro_batch to less than 4, or "
        "pretrain.recompute from none to layers, or pretrain.checkpoint.asynchronous from true to false, so that no "
        "copy is kept for the save, or pretrain.engine from single to deepspeed or megatron, over several processes, "
        "or pretrain.seq_len to less than 4096\n"
    )


def test_a_gpu_that_has_no_more_is_told_with_what_was_asked_for() -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of …")
    with (
        pytest.raises(
            UserError, match=r"rank 0: out of GPU memory \(it asked for 2\.50 GiB more\); to need"
        ) as told_as,
        told(settings(), 0),
    ):
        raise error
    assert told_as.value.__cause__ is error


@pytest.mark.parametrize(
    "error", [RuntimeError("shapes cannot be multiplied"), ValueError("memory"), UserError("disk")]
)
def test_another_error_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as seen, told(settings(), 0):
        raise error
    assert seen.value is error


ZERO_1 = {"engine": "deepspeed", "parallel": {"zero": "1"}}
OFFLOADED = {"engine": "deepspeed", "parallel": {"zero": "3", "offload": "optimizer"}, "recompute": "layers"}


@pytest.mark.parametrize(
    ("changes", "on_gpu", "named"),
    [
        pytest.param({}, True, ["recompute from none", "engine from single", "seq_len to"], id="single"),
        pytest.param(
            {"micro_batch": 2}, True, ["micro_batch to less than 2", "recompute", "engine", "seq_len"], id="2"
        ),
        pytest.param(ZERO_1, True, ["recompute", "zero from 1 to 3", "offload from none", "seq_len"], id="ZeRO-1"),
        pytest.param(
            ZERO_1,
            False,
            ["recompute", "asynchronous from true", "zero from 1 to 3", "seq_len"],
            id="the host takes what is offloaded",
        ),
        pytest.param(
            {"checkpoint": {"asynchronous": False}}, False, ["recompute", "engine", "seq_len"], id="no copy on the host"
        ),
        pytest.param(OFFLOADED, True, ["seq_len"], id="nothing but the length is left"),
        pytest.param(
            {"engine": "megatron", "parallel": {"tensor": 2, "pipeline": 4}},
            True,
            ["recompute", "tensor to more than 2 or pipeline to more than 4", "seq_len"],
            id="megatron",
        ),
    ],
)
def test_only_what_can_still_be_changed_is_named(changes: dict[str, Any], on_gpu: bool, named: list[str]) -> None:
    ways = ways_out(settings(**changes), on_gpu=on_gpu)
    assert len(ways) == len(named)
    for way, words in zip(ways, named, strict=True):
        assert words in way
    assert ways[-1] == "pretrain.seq_len to less than 8192"
