"""Engines compute the same on another kernel of attention, and nothing passes between documents on it either."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from safetensors.torch import load_file

from benchmarks.engine_lab.inputs import NEW_ROWS, OLD_ROWS
from configs.schema.pretrain import AttentionKernel, Optim, Parallel
from pretrain.checkpoint.hf_reader import GraftedReader, HfFolderReader
from pretrain.engines import single
from pretrain.engines.base import EngineSpec, Limits
from pretrain.micro_batch import MicroBatch
from tests.pretrain.attention.test_flex import gradients_on_a_cpu, quietly  # noqa: F401  # one is a fixture
from tests.pretrain.engines.conftest import LAYOUTS, LOAD, LR, evaluate

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Lab

PARTS = ("tokens", "labels", "positions", "cu_seqlens", "source")
pytestmark = quietly

ON = ["zero 3", "tensor 2 sequence", "pipeline 2", "context 2"]


@pytest.fixture(scope="module")
def seen(lab: Lab) -> dict[str, list[Any]]:
    """Held-out losses of every layout on flex_attention, and two documents of which another is in front."""
    found: dict[str, list[Any]] = {}
    for framework in ("deepspeed", "megatron"):
        pytest.importorskip(framework)
        do = (LOAD, evaluate("held_out"), evaluate("a_and_b"), evaluate("other_a_and_b"))
        cases = [
            lab.case(f"{layout} {kernel}", framework, *do, parallel=LAYOUTS[layout][2], attention=kernel)
            for layout in ON
            if LAYOUTS[layout][0] == framework
            for kernel in ("sdpa", "flex")
        ]
        found |= lab.run(cases, processes=2)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("layout", ON)
def test_held_out_losses_are_those_of_the_reference(seen: dict[str, list[Any]], layout: str) -> None:
    for rank in range(2):
        (_, found, *_), (_, right, *_) = seen[f"{layout} flex"][rank], seen[f"{layout} sdpa"][rank]
        assert [tokens for *_, tokens in found] == [tokens for *_, tokens in right]
        assert [nll for _, nll, _ in found] == pytest.approx([nll for _, nll, _ in right], rel=2e-6)
        assert found != right  # another kernel it is


@pytest.mark.slow
@pytest.mark.parametrize("layout", ON)
def test_another_document_in_front_changes_no_bit(seen: dict[str, list[Any]], layout: str) -> None:
    for rank in range(2):
        _, _, (a, b), (other_a, same_b) = seen[f"{layout} flex"][rank]
        assert a != other_a
        assert b == same_b


@pytest.mark.slow
@pytest.mark.usefixtures("gradients_on_a_cpu")
@pytest.mark.parametrize("recompute", ["none", "layers"])
def test_single_takes_the_steps_of_the_reference(lab: Lab, recompute: Any) -> None:
    losses = {kernel: steps_of(lab.root, kernel, recompute) for kernel in ("sdpa", "flex")}
    assert losses["flex"] == pytest.approx(losses["sdpa"], rel=2e-6)
    assert losses["flex"] != losses["sdpa"]


def steps_of(root: Path, kernel: AttentionKernel, recompute: Any) -> list[float]:
    """Losses and gradient norms of some steps."""
    folder = root / "tied"
    engine = single.build(
        EngineSpec(
            *(folder, OLD_ROWS + NEW_ROWS, OLD_ROWS, "all", Optim(), Parallel()),
            attention=kernel,
            recompute=recompute,
        )
    )
    new_rows = load_file(folder / "new_rows.safetensors")
    engine.load_state(GraftedReader(HfFolderReader(folder), OLD_ROWS, new_rows), 0)
    tensors = load_file(root / "batches.safetensors")
    seen: list[float] = []
    for step in range(3):
        names = sorted({key.rsplit("/", 1)[0] for key in tensors if key.startswith(f"step{step}/")})
        batches = [
            MicroBatch(
                *(tensors[f"{name}/{part}"] for part in ("tokens", "labels", "positions", "cu_seqlens", "source"))
            )
            for name in names
        ]
        sums = engine.train_step(batches, LR, Limits(grad_norm=1e9))  # type: ignore[arg-type]
        seen += [sums.nll, sums.grad_norm]
    return seen


def test_the_kernel_of_a_model_that_is_made_later_is_not_that_of_one_that_is_there(lab: Lab) -> None:
    from pretrain.engines import hf_model

    config = hf_model.read_config(lab.root / "tied")
    flexible = hf_model.empty_model(config, kernel="flex")
    hf_model.empty_model(config)
    names = {model.config._attn_implementation for model in (flexible, hf_model.empty_model(config))}
    assert len(names) == 2
