"""Losses of logits that exist whole: in pieces as at once, and how much memory that takes."""

from __future__ import annotations

import weakref
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pretrain.engines import loss_head, process_group
from pretrain.engines.megatron import vocab_pieces

POSITIONS, ROWS, REAL = 29, 64, 61
LABELLED = torch.tensor([0, 1, 2, 3, 5, 8, 9, 10, 14, 15, 16, 20, 21, 22, 23, 24, 25, 27])


@pytest.fixture(autouse=True, scope="module")
def alone() -> Any:
    process_group.start()
    yield
    process_group.stop()


def drawn(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and the labels of the labelled positions."""
    generator = torch.Generator().manual_seed(5)
    logits_TV = (3 * torch.randn(POSITIONS, ROWS, generator=generator)).to(dtype)
    return logits_TV, torch.randint(0, REAL, LABELLED.shape, generator=generator)


def of(dtype: torch.dtype, z_loss: float = 0.1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Objective, losses, and the gradient of a third of the objective."""
    logits_TV, labels_N = drawn(dtype)
    leaf = logits_TV.clone().requires_grad_()
    logits = leaf * 1  # a result, as the model's are: it is written over
    objective, nll_N = vocab_pieces.losses(logits, LABELLED, labels_N, real=REAL, z_loss=z_loss, group=None)
    [gradient] = torch.autograd.grad(objective / 3, [leaf])
    return objective.detach(), nll_N, gradient


def in_pieces_of(positions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_head, "LOGITS_AT_ONCE", positions * ROWS + ROWS - 1)


@pytest.mark.parametrize("z_loss", [0.0, 0.1], ids=["without z-loss", "with z-loss"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_losses_and_gradient_are_those_of_the_definition(dtype: torch.dtype, z_loss: float) -> None:
    logits_TV, labels_N = drawn(dtype)
    exact = logits_TV.double().requires_grad_()
    real_NV = exact[LABELLED][:, :REAL]
    nll_N = torch.nn.functional.cross_entropy(real_NV, labels_N, reduction="none")
    objective = nll_N.sum() + z_loss * real_NV.logsumexp(-1).square().sum()
    [right] = torch.autograd.grad(objective / 3, [exact])
    found = of(dtype, z_loss)
    torch.testing.assert_close(found[0].double(), objective.detach(), rtol=1e-6, atol=0)
    torch.testing.assert_close(found[1].double(), nll_N.detach(), rtol=1e-5, atol=1e-6)
    rtol, atol = (2**-8, 1e-6) if dtype == torch.bfloat16 else (1e-5, 1e-7)
    torch.testing.assert_close(found[2].double(), right, rtol=rtol, atol=atol)
    assert not found[2][:, REAL:].any()


@pytest.mark.parametrize("positions", [1, 7, 17, 18, 19])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_how_many_are_taken_at_once_changes_no_bit(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, positions: int
) -> None:
    whole = of(dtype)
    in_pieces_of(positions, monkeypatch)
    for one, other in zip(of(dtype), whole, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_nothing_labelled_is_no_loss_and_no_gradient(dtype: torch.dtype) -> None:
    leaf = drawn(dtype)[0].requires_grad_()
    none = LABELLED[:0]
    objective, nll_N = vocab_pieces.losses(leaf * 1, none, none, real=REAL, z_loss=0.1, group=None)
    [gradient] = torch.autograd.grad(objective, [leaf])
    assert (objective.item(), nll_N.shape) == (0.0, (0,))
    assert not gradient.any()


class _Peak(TorchDispatchMode):
    """The most bytes of tensors that were made inside and lived at once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.live, self.most = 0, 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, torch.Tensor):
                self._seen(one.untyped_storage())
        return out

    def _seen(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self.live += size
        self.most = max(self.most, self.live)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_beside_the_logits_there_is_one_piece_in_float32(monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype) -> None:
    labels = torch.zeros(LABELLED.shape, dtype=torch.int64)
    leaf = drawn(dtype)[0].repeat(1, 16).requires_grad_()
    monkeypatch.setattr(loss_head, "LOGITS_AT_ONCE", 3 * leaf.shape[1])
    with _Peak() as peak:
        logits = leaf * 1
        objective, _ = vocab_pieces.losses(logits, LABELLED, labels, real=leaf.shape[1] - 1, z_loss=0.1, group=None)
        [gradient] = torch.autograd.grad(objective, [logits])
    width = leaf.element_size()
    assert gradient.data_ptr() == logits.data_ptr()
    expected = width * leaf.numel() + (4 if width == 4 else 4 + width) * 3 * leaf.shape[1]
    assert expected * 0.95 <= peak.most <= expected * 1.05
