"""A kernel's proof on this device: it gives what the reference gives, and nothing passes between documents.

On a small packed batch, with the heads, numbers and scale of a real one. First output and gradients are compared with
the reference's. Then every second document is filled with other, larger numbers, and of the documents in between no
bit may change, in the output as in any gradient; and the other way round.

Shapes: H query heads, G key/value heads, Q positions on this rank, T of the row, K numbers per head.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch

from pretrain.attention import sdpa
from pretrain.attention.documents import Documents, slices
from pretrain.attention.need import Attend, Need

_LENGTHS = (1, 37, 130, 5, 300, 64, 128, 23)
"""Of the documents: single positions, less and more than a tile of any kernel, exactly one; none ends with a tile."""
_BOUNDS = (0, *itertools.accumulate(_LENGTHS))
_HELD = ((100, 250), (400, 600))
"""What a context rank has of it: ends and beginnings of documents, whole ones, and two stretches of the longest."""
_SCALE = 0.7
"""Of the usual scale: a kernel that has its own shows."""
_LARGER = 30.0

TOLERANCE = {torch.float32: 2e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}
"""Largest difference from the reference in float32, as a share of its largest number. Products in bfloat16 have a
relative error of 2^-9, a document's sums of them a few times that; TF32, with 2^-11, is no float32."""


class Made(NamedTuple):
    """Output, and gradients of query, key and value."""

    output: torch.Tensor
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor


@dataclass(frozen=True)
class _Case:
    documents: Documents
    query_HQK: torch.Tensor
    key_GTK: torch.Tensor
    value_GTK: torch.Tensor
    gradient_HQK: torch.Tensor
    """Of the output."""

    def run(self, attend: Attend, dtype: torch.dtype) -> Made:
        inputs = [_as_projected(one.to(dtype)) for one in (self.query_HQK, self.key_GTK, self.value_GTK)]
        out = attend(inputs[0], inputs[1], inputs[2], self.documents, _SCALE * inputs[0].shape[-1] ** -0.5)
        return Made(out.detach(), *torch.autograd.grad(out, inputs, self.gradient_HQK.to(dtype)))

    def with_others_in(self, parity: int, documents_Q: torch.Tensor, documents_T: torch.Tensor) -> _Case:
        """Other numbers in every second document."""

        def changed(values: torch.Tensor, documents: torch.Tensor) -> torch.Tensor:
            other = values.roll(1, dims=-1) * _LARGER + 1
            return torch.where((documents % 2 == parity)[None, :, None], other, values)

        return _Case(
            self.documents,
            changed(self.query_HQK, documents_Q),
            changed(self.key_GTK, documents_T),
            changed(self.value_GTK, documents_T),
            changed(self.gradient_HQK, documents_Q),
        )


def why_not(attend: Attend, need: Need) -> str | None:
    """What is wrong with a kernel, or None; it may also raise whatever it raises."""
    wrong = _why_not(attend, need, Documents.of(_BOUNDS), ((0, _BOUNDS[-1]),))
    if wrong is None and need.sliced:
        sliced = Documents(slices(_BOUNDS, _HELD), _BOUNDS[-1])
        wrong = _why_not(attend, need, sliced, _HELD)
    return wrong


def _why_not(attend: Attend, need: Need, documents: Documents, held: Sequence[tuple[int, int]]) -> str | None:
    what = "" if documents.whole else "where documents are shared among ranks, "
    case = _case(need, documents)
    if (wrong := _unequal(case.run(attend, need.dtype), case.run(sdpa.attend, torch.float32), need)) is not None:
        return what + wrong
    number_T = torch.bucketize(torch.arange(documents.keys), torch.tensor(_BOUNDS[1:]), right=True).to(need.device)
    number_Q = torch.cat([number_T[begin:end] for begin, end in held])
    with _repeatable():
        before = case.run(attend, need.dtype)
        for parity in (0, 1):
            after = case.with_others_in(parity, number_Q, number_T).run(attend, need.dtype)
            for name, old, new in zip(Made._fields, before, after, strict=True):
                kept = (number_Q if name in ("output", "query") else number_T) % 2 != parity
                if not torch.equal(old[:, kept], new[:, kept]):
                    return f"{what}other numbers in one document change {_in_words(name)} of another"
    return None


def _case(need: Need, documents: Documents) -> _Case:
    """The same numbers on every device, such as the dtype holds exactly."""
    generator = torch.Generator().manual_seed(1)

    def numbers(heads: int, positions: int) -> torch.Tensor:
        drawn = torch.randn(heads, positions, need.head_dim, generator=generator)
        return drawn.to(need.dtype).float().to(need.device)

    return _Case(
        documents,
        numbers(need.query_heads, documents.queries),
        numbers(need.key_heads, documents.keys),
        numbers(need.key_heads, documents.keys),
        numbers(need.query_heads, documents.queries),
    )


def _as_projected(values_HTK: torch.Tensor) -> torch.Tensor:
    """Laid out as in training: positions first, and other heads' numbers in between, as where one matrix makes all.

    Here those are no numbers, so that a kernel that takes them for its own shows.
    """
    heads, positions, head_dim = values_HTK.shape
    together_TnK = values_HTK.new_full((positions, heads + 1, head_dim), torch.nan)
    together_TnK[:, :heads] = values_HTK.transpose(0, 1)
    return together_TnK[:, :heads].transpose(0, 1).requires_grad_()


def _unequal(found: Made, right: Made, need: Need) -> str | None:
    for name, one, other in zip(Made._fields, found, right, strict=True):
        if one.shape != other.shape or one.dtype != need.dtype:
            return f"{_in_words(name)} is {one.dtype} of shape {tuple(one.shape)}"
        share = float((one.float() - other).abs().max() / other.abs().max())
        if not share <= TOLERANCE[need.dtype]:  # not a number is wrong, too
            return (
                f"{_in_words(name)} differs from the reference by {share:.1e} of the largest number "
                f"(allowed: {TOLERANCE[need.dtype]:.0e})"
            )
    return None


def _in_words(name: str) -> str:
    return "the output" if name == "output" else f"the gradient of the {name}"


@contextmanager
def _repeatable() -> Iterator[None]:
    """Kernels that add in any order, as they do in the backward pass, add in one order; else bits say nothing."""
    before, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what has no such kernel; then bits tell
            yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
