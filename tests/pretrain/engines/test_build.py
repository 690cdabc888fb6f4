"""What cannot be built is refused in words, before anything is allocated."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from transformers import LlamaConfig

from configs.errors import UserError
from configs.schema.pretrain import Optim, Parallel
from pretrain.engines import process_group
from pretrain.engines.base import EngineSpec
from pretrain.engines.build import build_engine
from pretrain.engines.megatron.layout import plan

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Lab

CONFIG = LlamaConfig(
    vocab_size=131,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=4,
    num_attention_heads=8,
    num_key_value_heads=4,
)


@pytest.mark.parametrize(("name", "package"), [("deepspeed", "deepspeed"), ("megatron", "megatron")])
def test_a_missing_package_names_the_extra_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: Literal["deepspeed", "megatron"], package: str
) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    for module in [module for module in sys.modules if module.startswith("pretrain.engines.megatron.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv("LOCAL_RANK", "0")  # the engine sets both where they are not set
    monkeypatch.setenv("DS_ACCELERATOR", "cpu")
    spec = EngineSpec(tmp_path, 131, 131, "all", Optim(), Parallel())
    with pytest.raises(UserError, match=rf"needs the package '{package}.*pip install 'tsugiki\[{name}\]'"):
        build_engine(name, spec)


@pytest.mark.parametrize(
    ("tensor", "pipeline", "context", "processes", "message"),
    [
        pytest.param(3, 1, 1, 3, "8 attention heads are not divisible by parallel.tensor", id="heads"),
        pytest.param(8, 1, 1, 8, "4 key/value heads are not divisible by parallel.tensor", id="key/value heads"),
        pytest.param(1, 3, 1, 3, "4 layers are not divisible by parallel.pipeline", id="layers"),
        pytest.param(5, 1, 1, 5, "hidden size are not divisible by parallel.tensor", id="hidden size"),
        pytest.param(2, 2, 1, 6, "6 processes are not a multiple of tensor x pipeline", id="processes"),
        pytest.param(1, 1, 4, 6, r"6 processes .* tensor x pipeline x context \(1 x 1 x 4\)", id="context"),
    ],
)
def test_an_impossible_layout_is_named(tensor: int, pipeline: int, context: int, processes: int, message: str) -> None:
    with pytest.raises(UserError, match=message):
        plan(CONFIG, Parallel(tensor=tensor, pipeline=pipeline, context=context), processes)


def test_all_that_is_wrong_with_a_layout_is_told_at_once() -> None:
    with pytest.raises(UserError, match=r"7 processes.*attention heads.*layers"):
        plan(CONFIG, Parallel(tensor=3, pipeline=3), 7)
    with pytest.raises(UserError, match=r"5 processes.*4 layers.*parallel.tensor is 1"):
        plan(CONFIG, Parallel(pipeline=3, sequence=True), 5)


@pytest.mark.parametrize(
    ("parallel", "multiple"),
    [
        pytest.param(Parallel(tensor=2), 1, id="tensor ranks all see all"),
        pytest.param(Parallel(tensor=2, sequence=True), 2, id="sequence"),
        pytest.param(Parallel(context=2), 4, id="context: two chunks on each rank"),
        pytest.param(Parallel(context=2, tensor=2, sequence=True), 8, id="both"),
    ],
)
def test_positions_are_padded_to_equal_shares(parallel: Parallel, multiple: int) -> None:
    layout = plan(CONFIG, parallel, 4)
    assert layout.positions_multiple == multiple
    assert layout.data * layout.tensor * layout.context == 4
    assert layout.optimizer_shares == 4 // layout.tensor


@pytest.mark.parametrize(("tensor", "padded"), [(1, 131), (2, 132), (4, 132)])
def test_the_vocabulary_is_padded_to_equal_shares(tensor: int, padded: int) -> None:
    layout = plan(CONFIG, Parallel(tensor=tensor), 4)
    assert (layout.vocab_rows, layout.padded_rows) == (131, padded)
    assert layout.data == 4 // tensor


def test_what_an_engine_cannot_train_is_refused(lab: Lab) -> None:
    if find_spec("megatron") is None:
        pytest.skip("megatron-core is not installed")
    folder = lab.root / "biased"
    LlamaConfig.from_pretrained(lab.root / "tied", attention_bias=True).save_pretrained(folder)
    cases: list[dict[str, Any]] = [
        lab.case("biased", "megatron") | {"hf": str(folder)},
        lab.case("too few", "megatron", parallel={"tensor": 2}),
    ]
    seen = lab.run(cases, processes=1)
    assert "config.json: not supported: attention_bias" in seen["biased"][0]["user_error"]
    assert (
        "1 processes are not a multiple of tensor x pipeline x context (2 x 1 x 1)" in seen["too few"][0]["user_error"]
    )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        pytest.param({"RANK": "0", "WORLD_SIZE": "2"}, "lacks LOCAL_RANK, MASTER_ADDR, MASTER_PORT", id="half set"),
        pytest.param(
            {"RANK": "0", "WORLD_SIZE": "two", "LOCAL_RANK": "0", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"},
            "WORLD_SIZE must be a number, got 'two'",
            id="no number",
        ),
    ],
)
def test_an_incomplete_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], message: str
) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message):
        process_group.world_size()


def test_without_a_launcher_a_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert process_group.world_size() == 1
