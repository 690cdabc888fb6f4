"""Kernels that are wrong on purpose, and what attention is asked for in tests."""

from __future__ import annotations

import itertools
from typing import Any

import torch
from hypothesis import strategies as st

from pretrain.attention import sdpa
from pretrain.attention.documents import Documents, Slice, slices
from pretrain.attention.need import Attend, Need

CPU = torch.device("cpu")


def need(
    dtype: torch.dtype = torch.float32,
    *,
    sliced: bool = False,
    query_heads: int = 4,
    key_heads: int = 2,
    device: torch.device = CPU,
    head_dim: int = 16,
) -> Need:
    return Need(device, dtype, query_heads, key_heads, head_dim, sliced)


def numbers(heads: int, positions: int, head_dim: int, seed: int) -> torch.Tensor:
    return torch.randn(heads, positions, head_dim, generator=torch.Generator().manual_seed(seed))


def _ignores_the_scale(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    return sdpa.attend(query, key, value, documents)


def _forgets_the_last_key(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    """Each document's last key but that of the longest is not looked at by its last query."""
    out = sdpa.attend(query, key, value, documents, scale)
    one = documents.slices[-1]
    shorter = Documents([Slice(0, one.length - 1, 0, one.length - 1)])
    rows = slice(one.first, one.first + one.length - 1)
    columns = slice(one.begin, one.end - 1)
    tail = sdpa.attend(query[:, rows], key[:, columns], value[:, columns], shorter, scale)[:, -1:]
    return torch.cat([out[:, :-1], tail], dim=1)


def _swaps_the_groups(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    return sdpa.attend(query, key.flip(0), value.flip(0), documents, scale)


def _masks_nothing(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    return sdpa.attend(query, key, value, Documents.of([0, documents.queries]), scale)


def _leaks_a_little(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    """Far below any tolerance, as a mask of a large negative number that is not infinite would."""
    out = sdpa.attend(query, key, value, documents, scale)
    leak: torch.Tensor = 1e-6 * value.mean(1, keepdim=True).repeat_interleave(len(query) // len(value), dim=0)
    return out + leak


class _LeakyGradient(torch.autograd.Function):
    """The identity, whose gradient is mixed over positions."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor) -> torch.Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> torch.Tensor:
        return gradients[0] + 1e-7 * gradients[0].sum(1, keepdim=True)


def _leaks_a_gradient(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    mixed: torch.Tensor = _LeakyGradient.apply(value)  # type: ignore[no-untyped-call]
    return sdpa.attend(query, key, mixed, documents, scale)


def _takes_what_lies_between(
    query: Any, key: Any, value: Any, documents: Documents, scale: float | None
) -> torch.Tensor:
    """Reads values as if the heads of one position followed those of the position before."""
    heads, _, head_dim = value.shape
    dense = value.as_strided(value.shape, (head_dim, heads * head_dim, 1))
    return sdpa.attend(query, key, dense, documents, scale)


def _raises(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    raise RuntimeError("no kernel image\nand much more")


def _gives_no_numbers(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    return sdpa.attend(query, key, value, documents, scale) * torch.nan


def _gives_another_dtype(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    return sdpa.attend(query, key, value, documents, scale).double()


def _has_no_gradient(query: Any, key: Any, value: Any, documents: Documents, scale: float | None) -> torch.Tensor:
    with torch.no_grad():
        return sdpa.attend(query, key, value, documents, scale)


WRONG: dict[str, tuple[Attend, str]] = {
    "ignores the scale": (_ignores_the_scale, "the output differs from the reference by"),
    "forgets the last key": (_forgets_the_last_key, "differs from the reference by"),
    "swaps the groups": (_swaps_the_groups, "the output differs from the reference by"),
    "masks nothing": (_masks_nothing, "the output differs from the reference by"),
    "leaks a little": (_leaks_a_little, "other numbers in one document change the output of another"),
    "leaks a gradient": (
        _leaks_a_gradient,
        "other numbers in one document change the gradient of the value of another",
    ),
    "takes what lies between": (_takes_what_lies_between, "the output differs from the reference by nan"),
    "gives no numbers": (_gives_no_numbers, "the output differs from the reference by nan"),
    "gives another dtype": (_gives_another_dtype, "the output is torch.float64"),
}
"""Kernels, and what their proof says of them."""

RAISING: dict[str, tuple[Attend, str]] = {
    "raises": (_raises, "it raises RuntimeError: no kernel image"),
    "has no gradient": (_has_no_gradient, "it raises RuntimeError: element 0 of tensors does not require grad"),
}


lengths_of_documents = st.lists(st.integers(1, 300), min_size=1, max_size=6)


@st.composite
def any_documents(draw: st.DrawFn) -> Documents:
    """Documents that are whole on this rank, or what a rank of several has of them: any two stretches."""
    bounds = [0, *itertools.accumulate(draw(lengths_of_documents))]
    cuts = sorted(draw(st.tuples(*[st.integers(0, bounds[-1])] * 4)))
    held = [(begin, end) for begin, end in (cuts[:2], cuts[2:]) if begin < end]
    if draw(st.booleans()) or not held:
        return Documents.of(bounds)
    return Documents(slices(bounds, held), bounds[-1])


def allowed(documents: Documents) -> torch.Tensor:
    """Which query looks at which key, by the book: (Q, T), bool."""
    mask = torch.zeros(documents.queries, documents.keys, dtype=torch.bool)
    for one in documents.slices:
        for at in range(one.length):
            mask[one.first + at, one.begin : one.end - one.length + at + 1] = True
    return mask
