"""Losses from hidden states: in pieces as at once, and what z-loss adds."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pretrain.engines import loss_head
from pretrain.engines.loss_head import Losses, LossHead

POSITIONS, HIDDEN, ROWS = 23, 8, 37


def drawn(dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.nn.Parameter, torch.Tensor]:
    """Hidden states, an output embedding and labels."""
    generator = torch.Generator().manual_seed(3)
    hidden_NH = torch.randn(POSITIONS, HIDDEN, generator=generator).to(dtype).requires_grad_()
    weight_VH = torch.nn.Parameter(torch.randn(ROWS, HIDDEN, generator=generator).to(dtype))
    return hidden_NH, weight_VH, torch.randint(0, ROWS, (POSITIONS,), generator=generator)


def in_pieces_of(positions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_head, "LOGITS_AT_ONCE", positions * ROWS + ROWS - 1)


def differentiated(losses: Losses, *of: torch.Tensor) -> list[torch.Tensor]:
    """The losses, and the gradients of a third of the objective."""
    return [*losses, *torch.autograd.grad(losses.objective / 3, of)]


def in_float64(dtype: torch.dtype, z_loss: float) -> list[torch.Tensor]:
    """By the definition, from the same numbers."""
    hidden_NH, weight_VH, labels_N = drawn(dtype)
    exact = [one.detach().double().requires_grad_() for one in (hidden_NH, weight_VH)]
    log_p_NV = (exact[0] @ exact[1].T).log_softmax(-1)
    nll_N = -log_p_NV[torch.arange(POSITIONS), labels_N]
    log_sum_N = (exact[0] @ exact[1].T).exp().sum(-1).log()
    objective = (nll_N + z_loss * log_sum_N**2).sum()
    return differentiated(Losses(objective, nll_N.detach()), *exact)


@pytest.mark.parametrize("z_loss", [0.0, 0.1], ids=["without z-loss", "with z-loss"])
@pytest.mark.parametrize("positions", [1, 7, 22, 23], ids=lambda at_once: f"{at_once} at once")
def test_losses_and_gradients_are_those_of_the_definition(
    monkeypatch: pytest.MonkeyPatch, positions: int, z_loss: float
) -> None:
    in_pieces_of(positions, monkeypatch)
    hidden_NH, weight_VH, labels_N = drawn()
    seen = differentiated(LossHead(weight_VH, z_loss)(hidden_NH, labels_N), hidden_NH, weight_VH)
    for here, right in zip(seen, in_float64(torch.float32, z_loss), strict=True):
        torch.testing.assert_close(here.double(), right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("positions", [5, 23], ids=lambda at_once: f"{at_once} at once")
def test_of_bfloat16_weights_losses_are_exact_and_gradients_as_good_as_bfloat16_can_say(
    monkeypatch: pytest.MonkeyPatch, positions: int
) -> None:
    in_pieces_of(positions, monkeypatch)
    hidden_NH, weight_VH, labels_N = drawn(torch.bfloat16)
    seen = differentiated(LossHead(weight_VH, 0.1)(hidden_NH, labels_N), hidden_NH, weight_VH)
    right = in_float64(torch.bfloat16, 0.1)
    assert [one.dtype for one in seen] == [torch.float32, torch.float32, torch.bfloat16, torch.bfloat16]
    for here, exact in zip(seen[:2], right[:2], strict=True):
        torch.testing.assert_close(here.double(), exact, rtol=1e-6, atol=1e-6)
    for here, exact in zip(seen[2:], right[2:], strict=True):
        assert float((here.double() - exact).norm() / exact.norm()) < 2**-8


class _Largest(TorchDispatchMode):
    """Remembers how large the tensors were that operators gave."""

    numbers = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if isinstance(out, torch.Tensor):
            self.numbers = max(self.numbers, out.numel())
        return out


@pytest.mark.parametrize(("positions", "numbers"), [(10, 10 * ROWS), (23, 23 * ROWS)])
def test_no_tensor_is_larger_than_a_piece_of_logits(
    monkeypatch: pytest.MonkeyPatch, positions: int, numbers: int
) -> None:
    in_pieces_of(positions, monkeypatch)
    hidden_NH, weight_VH, labels_N = drawn()
    with _Largest() as largest:  # type: ignore[no-untyped-call]
        LossHead(weight_VH, 0.1)(hidden_NH, labels_N).objective.backward()
    assert largest.numbers == numbers


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_labelled_is_no_loss_and_no_gradient(dtype: torch.dtype) -> None:
    hidden_NH, weight_VH, labels_N = drawn(dtype)
    losses = LossHead(weight_VH, 0.1)(hidden_NH[:0], labels_N[:0])
    losses.objective.backward()
    assert losses.nll.shape == (0,)
    assert losses.objective.item() == 0
    assert weight_VH.grad is not None
    assert not weight_VH.grad.any()


def test_a_frozen_output_embedding_has_no_gradient_and_hidden_states_have_theirs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_pieces_of(5, monkeypatch)
    hidden_NH, weight_VH, labels_N = drawn()
    weight_VH.requires_grad_(False)
    [here] = torch.autograd.grad(LossHead(weight_VH, 0.0)(hidden_NH, labels_N).objective, [hidden_NH])
    torch.testing.assert_close(here.double(), in_float64(torch.float32, 0.0)[2] * 3, rtol=1e-6, atol=1e-6)
