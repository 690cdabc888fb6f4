"""Every kernel that is installed proves itself on a GPU, in what it is meant for."""

from __future__ import annotations

import pytest
import torch

from configs.schema.pretrain import AttentionKernel
from pretrain.attention.choose import choose
from pretrain.attention.kernels import KERNELS, loaded
from pretrain.attention.proof import why_not
from tests.pretrain.attention.cases import need

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("sliced", [False, True], ids=["whole", "shared among ranks"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("heads", [(8, 8, 64), (8, 2, 128), (4, 1, 64)], ids=str)
def test_it_proves_itself(name: AttentionKernel, dtype: torch.dtype, sliced: bool, heads: tuple[int, int, int]) -> None:
    query_heads, key_heads, head_dim = heads
    device = torch.device("cuda", 0)
    asked = need(dtype, sliced=sliced, query_heads=query_heads, key_heads=key_heads, device=device, head_dim=head_dim)
    if (impossible := KERNELS[name].impossible(asked)) is not None:
        pytest.skip(impossible)
    assert why_not(loaded(name, asked), asked) is None


def test_some_kernel_is_chosen_that_needs_no_call_for_each_document() -> None:
    asked = need(torch.bfloat16, device=torch.device("cuda", 0), query_heads=8, key_heads=2, head_dim=128)
    choice = choose("auto", asked)
    assert choice.kernel != "sdpa", choice.passed_over
