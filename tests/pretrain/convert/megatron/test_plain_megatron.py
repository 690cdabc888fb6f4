"""Megatron checkpoints beside megatron-core itself: what a plain script saved is read, what is written it loads."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from pretrain.checkpoint.boxes import Box
from pretrain.convert.megatron.source import MegatronSource, open_megatron
from pretrain.convert.source import refuse_leftovers
from tests.pretrain.convert.megatron.models import KINDS, Made, Models, run_script

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("megatron") is None, reason="megatron-core is not installed"),
]

OTHER = os.environ.get("TSUGIKI_OTHER_MEGATRON", "")

SAVED: dict[str, tuple[str, int, dict[str, Any]]] = {
    "llama, tensor 2": ("llama", 2, {"tp": 2}),
    "qwen2, pipeline 2": ("qwen2", 2, {"pp": 2, "optimizer": "fully_reshardable"}),
    "llama, pipeline 2": ("llama", 2, {"pp": 2, "bf16": True}),
    "llama, data 2": ("llama", 2, {}),
    "qwen2, tensor 2": ("qwen2", 2, {"tp": 2}),
    "qwen3, tensor 2": ("qwen3", 2, {"tp": 2}),
    "qwen3, pipeline 2": ("qwen3", 2, {"pp": 2}),
    "tied, tensor 2": ("tied", 2, {"tp": 2, "optimizer": "fully_reshardable", "bf16": True}),
    "tied, pipeline 2": ("tied", 2, {"pp": 2}),
    "qwen3, data 2, moments": ("qwen3", 2, {"optimizer": "fully_reshardable", "bf16": True}),
    "layers apart": ("qwen3", 2, {"pp": 2, "metadata": {"non_homogeneous_layers": True}}),
    "gate and up apart": ("llama", 2, {"tp": 2, "metadata": {"singleton_local_shards": True}}),
    "no distributed optimizer": ("llama", 2, {"tp": 2, "optimizer": "replicated"}),
    "no distributed optimizer, bf16": ("qwen2", 2, {"tp": 2, "optimizer": "replicated", "bf16": True}),
    "buckets": ("llama", 2, {"optimizer": "dp_reshardable", "bf16": True}),
    "one process": ("llama", 1, {}),
    "llama, tensor 2 x pipeline 2": ("llama", 4, {"tp": 2, "pp": 2}),
    "qwen2, tensor 2 x pipeline 2": ("qwen2", 4, {"tp": 2, "pp": 2, "optimizer": "fully_reshardable"}),
    "qwen3, tensor 2 x pipeline 2": ("qwen3", 4, {"tp": 2, "pp": 2}),
    "tied, tensor 2 x pipeline 2": ("tied", 4, {"tp": 2, "pp": 2, "bf16": True}),
}
"""Model, processes, and what else the script is told, of each checkpoint."""

with_moments = [name for name, (_, _, how) in SAVED.items() if how.get("optimizer") not in (None, "dp_reshardable")]


@dataclass
class Lab:
    """What the script saved, in as few jobs as there are numbers of processes."""

    root: Path
    models: Models
    _done: set[int] = field(default_factory=set)

    def source(self, name: str) -> tuple[Made, MegatronSource]:
        """The checkpoint of a name, opened."""
        made = self.models[SAVED[name][0]]
        processes = SAVED[name][1]
        if processes not in self._done:
            alike = [one for one in SAVED if SAVED[one][1] == processes]
            cases = [self.models[SAVED[one][0]].case("save", self.root / one, **SAVED[one][2]) for one in alike]
            run_script(cases, self.root, processes)
            self._done.add(processes)
        source = open_megatron(self.root / name, made.model)
        refuse_leftovers(source.shapes, made.model, self.root / name)
        return made, source


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """Checkpoints of the plain script."""
    root = tmp_path_factory.mktemp("megatron")
    return Lab(root, Models(root))


@pytest.mark.parametrize("name", SAVED)
def test_weights_that_plain_megatron_saved_are_read_bitwise(lab: Lab, name: str) -> None:
    made, source = lab.source(name)

    for hf_name, tensor in made.tensors().items():
        read = source.read(hf_name, Box.whole(tensor.shape), "master")
        assert torch.equal(read, tensor.to(source.dtype(hf_name))), hf_name


@pytest.mark.parametrize("name", with_moments)
def test_moments_and_fp32_masters_are_read_bitwise(lab: Lab, name: str) -> None:
    made, source = lab.source(name)

    assert (source.step, source.adam_steps, source.has_moments) == (3, 3, True)
    for kind in KINDS:
        for hf_name, tensor in made.tensors(kind).items():
            assert torch.equal(source.read(hf_name, Box.whole(tensor.shape), kind), tensor), (kind, hf_name)


def test_moments_that_belong_to_a_layout_are_refused_with_the_way_out_and_the_weights_are_there(
    lab: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        _, source = lab.source("buckets")

    assert not source.has_moments
    assert source.dtype("lm_head.weight") == torch.bfloat16
    assert "gbuf_idx_0" in caplog.text
    assert "--dist-ckpt-optim-fully-reshardable" in caplog.text


LOADED: Mapping[str, dict[str, Any]] = {
    "tensor 1": {},
    "tensor 2": {"tp": 2},
    "pipeline 2": {"pp": 2},
}
"""The layouts in which the script loads what was written."""


def load_with_script(
    lab: Lab, written: Mapping[Path, tuple[Made, dict[str, Any]]], *, python_path: str = ""
) -> list[str]:
    """What differs from the tensors that were written, over all ranks and layouts."""
    cases = [
        made.case("load", folder, **{**how, **more})
        for folder, (made, more) in written.items()
        for how in LOADED.values()
    ]
    seen = run_script(cases, lab.root, 2, python_path=python_path)
    assert len(seen) == len(cases)
    return [f"{name}: {difference}" for name, ranks in seen.items() for rank in ranks for difference in rank]


def test_plain_megatron_loads_what_is_written_in_every_layout(lab: Lab) -> None:
    out = lab.root / "written for two"
    lab.models["qwen3"].write(out, tp=2, pp=2)

    assert load_with_script(lab, {out / "release": (lab.models["qwen3"], {})}) == []


def test_plain_megatron_loads_every_architecture_whatever_layout_was_asked_for(lab: Lab) -> None:
    written: dict[Path, tuple[Made, dict[str, Any]]] = {}
    for name in ("llama", "tied", "qwen2", "mistral"):
        for tp, pp in ((1, 1), (2, 1), (1, 4)):
            out = lab.root / f"written {name} {tp} {pp}"
            lab.models[name].write(out, tp=tp, pp=pp)
            written[out / "release"] = (lab.models[name], {})

    assert load_with_script(lab, written) == []


def test_megatrons_optimizer_goes_on_from_moments_that_are_written(lab: Lab) -> None:
    written: dict[Path, tuple[Made, dict[str, Any]]] = {}
    for name, dtype in (("llama", "bfloat16"), ("tied", None), ("qwen3", "bfloat16")):
        out = lab.root / f"moments {name}"
        lab.models[name].write(out, moments=True, step=7, tp=2, dtype=dtype)
        how = {"optimizer": "fully_reshardable", "steps": 7, "bf16": dtype is not None}
        written[out / "iter_0000007"] = (lab.models[name], how)

    assert load_with_script(lab, written) == []


@pytest.mark.skipif(not OTHER, reason="TSUGIKI_OTHER_MEGATRON is not set to a PYTHONPATH with another megatron-core")
def test_another_version_of_megatron_core_reads_and_writes_the_same(lab: Lab) -> None:
    made = lab.models["qwen3"]
    cases = [made.case("save", lab.root / f"other {tp} {pp}", tp=tp, pp=pp) for tp, pp in ((2, 1), (1, 2))]
    run_script(cases, lab.root, 2, python_path=OTHER)
    for case in cases:
        source = open_megatron(Path(case["dir"]), made.model)
        assert source.step == 3
        for hf_name, tensor in made.tensors().items():
            assert torch.equal(source.read(hf_name, Box.whole(tensor.shape), "master"), tensor), hf_name
    out = lab.root / "for another version"
    made.write(out, tp=2)

    assert load_with_script(lab, {out / "release": (made, {})}, python_path=OTHER) == []
