from __future__ import annotations

import pytest
import torch

from pretrain.attention import sdpa
from pretrain.attention.proof import why_not
from tests.pretrain.attention.cases import WRONG, need

both_dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])


@both_dtypes
@pytest.mark.parametrize("sliced", [False, True], ids=["whole", "shared among ranks"])
@pytest.mark.parametrize(("query_heads", "key_heads"), [(2, 2), (4, 2), (4, 1)])
def test_the_reference_proves_itself(dtype: torch.dtype, sliced: bool, query_heads: int, key_heads: int) -> None:
    asked = need(dtype, sliced=sliced, query_heads=query_heads, key_heads=key_heads)
    assert why_not(sdpa.attend, asked) is None


ALL_WRONG = [
    *((name, torch.float32) for name in WRONG),
    # bfloat16 has steps of 2⁻⁸ near 1, so that nothing of 1e-6 leaks.
    *((name, torch.bfloat16) for name in WRONG if not name.startswith("leaks")),
]


@pytest.mark.parametrize(("name", "dtype"), ALL_WRONG)
def test_a_wrong_kernel_is_found_out(name: str, dtype: torch.dtype) -> None:
    attend, says = WRONG[name]
    found = why_not(attend, need(dtype))
    assert found is not None
    assert says in found


def test_a_kernel_that_overlooks_gaps_behind_a_single_head_is_found_out() -> None:
    attend, says = WRONG["takes what lies between"]
    found = why_not(attend, need(key_heads=1))
    assert found is not None
    assert says in found


def test_a_kernel_that_is_wrong_only_where_ranks_share_documents_is_found_out_there() -> None:
    def attend(*arguments: object) -> torch.Tensor:
        query, key, value, documents, scale = arguments
        if documents.whole:  # type: ignore[attr-defined]
            return sdpa.attend(*arguments)  # type: ignore[arg-type]
        return sdpa.attend(query, key.roll(1, 1), value.roll(1, 1), documents, scale)  # type: ignore[attr-defined, arg-type]

    assert why_not(attend, need()) is None
    found = why_not(attend, need(sliced=True))
    assert found is not None
    assert found.startswith("where documents are shared among ranks, the output differs")


def test_the_proof_leaves_determinism_as_it_was() -> None:
    before = torch.are_deterministic_algorithms_enabled()
    for enabled, warns in ((True, False), (False, False), (True, True)):
        torch.use_deterministic_algorithms(enabled, warn_only=warns)
        try:
            why_not(sdpa.attend, need())
            assert torch.are_deterministic_algorithms_enabled() is enabled
            assert torch.is_deterministic_algorithms_warn_only_enabled() is warns
        finally:
            torch.use_deterministic_algorithms(before)
