from __future__ import annotations

import logging
from typing import get_args

import pytest
import torch

from configs.errors import UserError
from configs.schema.pretrain import AttentionKernel
from pretrain.attention import sdpa
from pretrain.attention.choose import choose
from pretrain.attention.kernels import KERNELS, Kernel
from pretrain.attention.need import Attend, Need
from pretrain.attention.proof import why_not
from tests.pretrain.attention.cases import RAISING, WRONG, need


def kernel(attend: Attend) -> Kernel:
    return Kernel(lambda asked: attend)


RIGHT = kernel(sdpa.attend)
ELSEWHERE = torch.device("meta")
"""Some device that is no CPU."""


def proved_on_the_cpu(attend: Attend, asked: Need) -> str | None:
    """The real proof, of what is asked for on a device that this machine has not."""
    return why_not(attend, need())


def test_the_run_files_kernels_are_those_of_the_table_and_the_reference_is_last() -> None:
    assert set(get_args(AttentionKernel)) == set(KERNELS)
    assert list(KERNELS)[-1] == "sdpa"


@pytest.mark.parametrize("asked", ["auto", "sdpa"])
def test_on_a_cpu_nothing_but_the_reference_is_taken_or_tried(asked: AttentionKernel) -> None:
    def never(asked: Need) -> Attend:
        raise AssertionError

    choice = choose(asked, need(), {"flex": Kernel(never), "sdpa": RIGHT})
    assert (choice.kernel, choice.passed_over) == ("sdpa", {})


def test_on_a_gpu_the_first_that_proves_itself_is_taken_and_the_log_says_why_not_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    kernels: dict[AttentionKernel, Kernel] = {
        "transformer_engine": Kernel(lambda asked: sdpa.attend, package="a_package_that_nobody_has"),
        "flash_attn": kernel(WRONG["leaks a little"][0]),
        "varlen": kernel(RAISING["raises"][0]),
        "flex": RIGHT,
        "sdpa": RIGHT,
    }
    with caplog.at_level(logging.INFO, logger="pretrain.attention"):
        choice = choose("auto", need(device=ELSEWHERE), kernels, proved_on_the_cpu)
    assert choice.kernel == "flex"
    assert choice.passed_over == {
        "transformer_engine": "the package a_package_that_nobody_has is not installed",
        "flash_attn": "other numbers in one document change the output of another",
        "varlen": "it raises RuntimeError: no kernel image",
    }
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        *(f"attention: {name} is passed over: {reason}" for name, reason in choice.passed_over.items()),
        "attention runs on flex",
    ]


def test_the_reference_is_taken_where_no_other_is_right() -> None:
    wrong: dict[AttentionKernel, Kernel] = {
        "varlen": kernel(WRONG["masks nothing"][0]),
        "flex": kernel(RAISING["has no gradient"][0]),
        "sdpa": RIGHT,
    }
    assert choose("auto", need(device=ELSEWHERE), wrong, proved_on_the_cpu).kernel == "sdpa"


@pytest.mark.parametrize(("attend", "says"), [*WRONG.values(), *RAISING.values()], ids=[*WRONG, *RAISING])
def test_a_named_kernel_that_fails_its_proof_ends_the_run(attend: Attend, says: str) -> None:
    with pytest.raises(UserError) as refused:
        choose("varlen", need(), {"varlen": kernel(attend), "sdpa": RIGHT})
    assert str(refused.value).startswith("pretrain.attention: 'varlen' cannot be used: ")
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("transformer_engine", "the package transformer_engine is not installed"),
        ("flash_attn", "the package flash_attn is not installed"),
        ("varlen", "it runs on CUDA, not on cpu"),
        ("flex", "it raises NotImplementedError: FlexAttention does not support backward on CPU"),
    ],
)
def test_what_this_machine_has_not_is_refused_by_name(asked: AttentionKernel, says: str) -> None:
    with pytest.raises(UserError, match=says):
        choose(asked, need())


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        pytest.param(need(torch.bfloat16, head_dim=256), None, id="256"),
        pytest.param(need(torch.bfloat16, head_dim=264), "up to 256, not of 264", id="264"),
        pytest.param(need(torch.bfloat16, head_dim=100), "a multiple of 8", id="100"),
        pytest.param(need(torch.float32, head_dim=64), "it has no kernel for float32", id="fp32"),
    ],
)
def test_what_flash_kernels_cannot_do_is_known_before_they_are_tried(asked: Need, says: str | None) -> None:
    on_cuda = need(asked.dtype, device=torch.device("cuda"), head_dim=asked.head_dim)
    found = KERNELS["varlen"].impossible(on_cuda)
    assert (found is None) if says is None else (found is not None and says in found)


def test_a_named_kernel_that_proves_itself_is_taken() -> None:
    assert choose("varlen", need(), {"varlen": RIGHT, "sdpa": RIGHT}).kernel == "varlen"
