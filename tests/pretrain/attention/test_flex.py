"""flex_attention on a CPU, where torch runs it uncompiled; on a GPU see test_on_gpu.py."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from pretrain.attention import flex, proof, sdpa
from pretrain.attention.documents import Documents
from tests.pretrain.attention.cases import CPU, allowed, any_documents, need, numbers

# Of torch's compiler, which runs flex_attention even where it compiles nothing, and of torch's own code.
quietly = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script_method` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
]
pytestmark = quietly

BOUNDS = [0, 3, 4, 150, 278]


@settings(max_examples=25)
@given(any_documents())
def test_blocks_and_mask_are_those_of_torchs_own_maker_from_the_whole_mask(documents: Documents) -> None:
    right = allowed(documents)
    found = flex.block_mask(documents, CPU)
    queries, keys = torch.arange(documents.queries)[:, None], torch.arange(documents.keys)[None]
    nothing = torch.zeros((), dtype=torch.int)
    assert torch.equal(found.mask_mod(nothing, nothing, queries, keys), right)
    made = create_block_mask(
        lambda b, h, q, k: right[q.clamp(max=documents.queries - 1), k.clamp(max=documents.keys - 1)],
        *(None, None, documents.queries, documents.keys),
        device="cpu",
    )
    assert found.seq_lengths == made.seq_lengths
    # Every block in which somebody looks at something is there; where documents are whole, no other.
    assert bool((found.to_dense() >= made.to_dense()).all())
    if documents.whole:
        assert torch.equal(found.to_dense(), made.to_dense())
    # A block of which all looks at all is computed without the mask.
    assert found.full_kv_num_blocks is not None
    assert found.full_kv_indices is not None
    for block, count in enumerate(found.full_kv_num_blocks[0, 0].tolist()):
        for column in found.full_kv_indices[0, 0, block, :count].tolist():
            rows = right[block * flex.BLOCK : (block + 1) * flex.BLOCK]
            columns = rows[:, column * flex.BLOCK : (column + 1) * flex.BLOCK]
            assert columns.shape[1] == flex.BLOCK
            assert columns.all()


def test_a_long_document_has_blocks_that_are_computed_without_the_mask() -> None:
    found = flex.block_mask(Documents.of([0, 512]), CPU)
    assert found.full_kv_num_blocks is not None
    assert found.full_kv_num_blocks[0, 0].tolist() == [0, 1, 2, 3]
    assert found.kv_num_blocks[0, 0].tolist() == [1, 1, 1, 1]


def test_another_document_changes_no_bit() -> None:
    documents = Documents.of(BOUNDS)
    query, key, value = (numbers(heads, 278, 8, seed) for seed, heads in enumerate((4, 2, 2)))
    attend = flex.flex(need())
    before = attend(query, key, value, documents, None)
    for tensor in (query, key, value):
        tensor[:, 4:150] = 1e4
    after = attend(query, key, value, documents, None)
    for kept in (slice(0, 4), slice(150, 278)):
        assert torch.equal(before[:, kept], after[:, kept])
    assert not torch.equal(before[:, 4:150], after[:, 4:150])


@pytest.fixture
def gradients_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch refuses them, though what it runs there uncompiled has them."""
    import sys

    monkeypatch.setattr(sys.modules["torch.nn.attention.flex_attention"], "_validate_device", lambda *_: None)


@pytest.mark.slow
@pytest.mark.usefixtures("gradients_on_a_cpu")
@pytest.mark.parametrize("sliced", [False, True], ids=["whole", "shared among ranks"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
def test_it_proves_itself_gradients_included(dtype: torch.dtype, sliced: bool) -> None:
    asked = need(dtype, sliced=sliced)
    assert proof.why_not(flex.flex(asked), asked) is None


@pytest.mark.slow
def test_compiled_it_attends_as_the_reference_does() -> None:
    """torch's compiler for CPUs knows the forward pass, and goes by blocks as the one for GPUs does."""
    attend = flex.masked(torch.compile(flex_attention), grouped=True)
    with torch.no_grad():
        for bounds in ([0, 3, 4, 150, 278, 512], [0, 512]):
            documents = Documents.of(bounds)
            query, key, value = (numbers(heads, 512, 16, seed) for seed, heads in enumerate((4, 2, 2)))
            found = attend(query, key, value, documents, 0.2)
            torch.testing.assert_close(found, sdpa.attend(query, key, value, documents, 0.2), rtol=1e-5, atol=1e-6)
