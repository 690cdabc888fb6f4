from __future__ import annotations

import pytest
import torch

from pretrain.attention.documents import Documents
from pretrain.attention.sdpa import attend

BOUNDS = [0, 3, 4, 11, 16]
DOCUMENTS = Documents.of(BOUNDS)


def _reference(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, bounds: list[int]) -> torch.Tensor:
    """Attention by the book, with a mask over everything, in float64."""
    heads, total, size = query.shape
    key = key.repeat_interleave(heads // key.shape[0], dim=0).double()
    value = value.repeat_interleave(heads // value.shape[0], dim=0).double()
    document = torch.bucketize(torch.arange(total), torch.tensor(bounds[1:]), right=True)
    allowed = (document[:, None] == document[None, :]) & torch.ones(total, total).tril().bool()
    scores = (query.double() @ key.transpose(1, 2)) / size**0.5
    return torch.softmax(scores.masked_fill(~allowed, float("-inf")), dim=-1) @ value


@pytest.mark.parametrize("groups", [1, 2, 4], ids=["one KV head", "two query heads per KV head", "as many KV heads"])
def test_each_document_attends_to_its_own_past(groups: int) -> None:
    generator = torch.Generator().manual_seed(0)
    query = torch.randn(4, 16, 8, generator=generator)
    key, value = (torch.randn(groups, 16, 8, generator=generator) for _ in range(2))
    found = attend(query, key, value, DOCUMENTS)
    torch.testing.assert_close(found.double(), _reference(query, key, value, BOUNDS), atol=1e-6, rtol=1e-5)


def test_another_document_changes_no_bit() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(4, 16, 8, generator=generator) for _ in range(3))
    before = attend(query, key, value, DOCUMENTS)
    for tensor in (query, key, value):
        tensor[:, 4:11] = float("nan")
    after = attend(query, key, value, DOCUMENTS)
    kept = [0, 1, 2, 3, 11, 12, 13, 14, 15]
    assert torch.equal(before[:, kept], after[:, kept])
    assert after[:, 4:11].isnan().all()


def test_no_gradient_crosses_a_document() -> None:
    query, key, value = (torch.randn(2, 16, 8, requires_grad=True) for _ in range(3))
    attend(query, key, value, DOCUMENTS)[:, 11:].sum().backward()
    for tensor in (query, key, value):
        assert tensor.grad is not None
        assert not tensor.grad[:, :11].any()


def test_the_scale_is_the_one_that_is_given() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 4, 8, generator=generator) for _ in range(3))
    torch.testing.assert_close(
        attend(query * 3, key, value, Documents.of([0, 4]), scale=0.1),
        attend(query, key, value, Documents.of([0, 4]), scale=0.3),
    )
