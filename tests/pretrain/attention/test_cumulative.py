"""What kernels that take cumulative lengths are told; the kernels themselves need a GPU, see test_on_gpu.py."""

from __future__ import annotations

import itertools
import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from hypothesis import given, settings

from pretrain.attention import cumulative, proof, sdpa
from pretrain.attention.cumulative import Lengths
from pretrain.attention.documents import Documents
from pretrain.attention.kernels import KERNELS
from tests.pretrain.attention.cases import any_documents, need, numbers


def by_the_book(
    query_QHK: torch.Tensor, key_SGK: torch.Tensor, value_SGK: torch.Tensor, told: Lengths, scale: float | None
) -> torch.Tensor:
    """What such a kernel must compute, from nothing but what it is told."""
    assert (told.queries_D1.dtype, told.keys_D1.dtype) == (torch.int32, torch.int32)
    assert told.queries_D1.diff().max() == told.most_queries
    assert told.keys_D1.diff().max() == told.most_keys
    repeats = query_QHK.shape[1] // key_SGK.shape[1]
    pieces = []
    bounds = zip(itertools.pairwise(told.queries_D1.tolist()), itertools.pairwise(told.keys_D1.tolist()), strict=True)
    for (query_begin, query_end), (key_begin, key_end) in bounds:
        query = query_QHK[query_begin:query_end].transpose(0, 1)
        key, value = (
            one[key_begin:key_end].transpose(0, 1).repeat_interleave(repeats, dim=0) for one in (key_SGK, value_SGK)
        )
        queries, keys = query.shape[1], key.shape[1]
        scores = query @ key.transpose(1, 2) * (query.shape[-1] ** -0.5 if scale is None else scale)
        hidden = ~torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
        pieces.append((scores.masked_fill(hidden, -torch.inf).softmax(-1) @ value).transpose(0, 1))
    return torch.cat(pieces)


@settings(max_examples=25)
@given(any_documents())
def test_they_are_told_the_documents(documents: Documents) -> None:
    query, key = numbers(4, documents.queries, 8, 0), numbers(2, documents.keys, 8, 1)
    value = numbers(2, documents.keys, 8, 2)
    found = cumulative.positions_first(by_the_book)(query, key, value, documents, None)
    torch.testing.assert_close(found, sdpa.attend(query, key, value, documents), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sliced", [False, True], ids=["whole", "shared among ranks"])
def test_what_is_around_such_a_kernel_passes_the_proof_gradients_included(sliced: bool) -> None:
    assert proof.why_not(cumulative.positions_first(by_the_book), need(sliced=sliced)) is None


def test_torchs_varlen_takes_what_it_is_given() -> None:
    """On tensors without memory: what torch checks, and the shape that comes out."""
    documents, meta = Documents.of([0, 3, 40]), torch.device("meta")
    query, key, value = (torch.empty(heads, 40, 64, dtype=torch.bfloat16, device=meta) for heads in (4, 2, 2))
    asked = need(torch.bfloat16, device=meta, head_dim=64)
    out = cumulative.varlen(asked)(query, key, value, documents, 0.1)
    assert (out.shape, out.dtype) == (query.shape, torch.bfloat16)


def flash_attn_varlen_func(  # noqa: PLR0913
    q: Any,
    k: Any,
    v: Any,
    cu_seqlens_q: Any,
    cu_seqlens_k: Any,
    max_seqlen_q: int,
    max_seqlen_k: int,
    dropout_p: float = 0.0,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    alibi_slopes: Any = None,
    deterministic: bool = False,
    return_attn_probs: bool = False,
    block_table: Any = None,
) -> torch.Tensor:
    """flash-attn's published parameters, their order and defaults, before a kernel by the book."""
    assert causal
    assert dropout_p == 0.0
    told = Lengths(cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, None)
    return by_the_book(q, k, v, told, softmax_scale)


class DotProductAttention(torch.nn.Module):
    """Transformer Engine's published parameters, their order and what it asserts, before a kernel by the book."""

    def __init__(  # noqa: PLR0913
        self,
        num_attention_heads: int,
        kv_channels: int,
        num_gqa_groups: int | None = None,
        attention_dropout: float = 0.0,
        qkv_format: str = "sbhd",
        attn_mask_type: str = "causal",
        window_size: tuple[int, int] | None = None,
        sequence_parallel: bool = False,
        tp_size: int = 1,
        get_rng_state_tracker: Any = None,
        tp_group: Any = None,
        layer_number: int | None = None,
        attention_type: str = "self",
        cp_group: Any = None,
        cp_global_ranks: Any = None,
        cp_stream: Any = None,
        cp_comm_type: str = "p2p",
        softmax_scale: float | None = None,
    ) -> None:
        super().__init__()
        assert attention_type in ("self", "cross")
        assert num_attention_heads % (num_gqa_groups or num_attention_heads) == 0
        assert attention_dropout == 0.0
        self._heads, self._groups, self._scale = (num_attention_heads, kv_channels), num_gqa_groups, softmax_scale

    def forward(  # noqa: PLR0913
        self,
        query_layer: torch.Tensor,
        key_layer: torch.Tensor,
        value_layer: torch.Tensor,
        attention_mask: Any = None,
        qkv_format: str | None = None,
        cu_seqlens_q: Any = None,
        cu_seqlens_kv: Any = None,
        cu_seqlens_q_padded: Any = None,
        cu_seqlens_kv_padded: Any = None,
        max_seqlen_q: int | None = None,
        max_seqlen_kv: int | None = None,
        attn_mask_type: str | None = None,
        window_size: tuple[int, int] | None = None,
    ) -> torch.Tensor:
        assert query_layer.shape[1:] == self._heads
        assert key_layer.shape[1] == self._groups
        assert key_layer.shape == value_layer.shape
        assert query_layer.dtype == key_layer.dtype == value_layer.dtype
        assert qkv_format == "thd"
        assert all(layer.ndim == 3 for layer in (query_layer, key_layer, value_layer))
        # Its kernels take what lies end to end; some of its versions do not see to that themselves.
        assert all(layer.is_contiguous() for layer in (query_layer, key_layer, value_layer))
        assert cu_seqlens_q.shape == cu_seqlens_kv.shape
        assert cu_seqlens_q.ndim == 1
        # Without bottom_right, the first query looks at the first key alone; FlashAttention cannot do that.
        assert attn_mask_type == "padding_causal_bottom_right" or (
            attn_mask_type == "padding_causal" and torch.equal(cu_seqlens_q, cu_seqlens_kv)
        )
        # Nothing lies between documents, so that `pad_between_seqs` is what it takes it for by itself: false.
        assert cu_seqlens_q_padded is None
        assert cu_seqlens_kv_padded is None
        assert max_seqlen_q is not None
        assert max_seqlen_kv is not None
        told = Lengths(cu_seqlens_q, cu_seqlens_kv, max_seqlen_q, max_seqlen_kv, None)
        return by_the_book(query_layer, key_layer, value_layer, told, self._scale).flatten(1)


@pytest.mark.parametrize("sliced", [False, True], ids=["whole", "shared among ranks"])
@pytest.mark.parametrize(
    ("name", "module", "part"),
    [
        ("flash_attn", "flash_attn", flash_attn_varlen_func),
        ("transformer_engine", "transformer_engine.pytorch", DotProductAttention),
    ],
)
def test_packages_that_are_not_here_are_called_as_they_are_published(
    name: Any, module: str, part: Any, sliced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = ModuleType(module)
    setattr(stand_in, part.__name__, part)
    monkeypatch.setitem(sys.modules, module.split(".")[0], stand_in)
    monkeypatch.setitem(sys.modules, module, stand_in)
    asked = need(sliced=sliced)
    assert proof.why_not(KERNELS[name].load(asked), asked) is None
