"""What is written here, DeepSpeed itself loads and trains on, as if it had saved it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pretrain.convert.convert import convert
from pretrain.convert.model import Model
from pretrain.convert.target import Options
from tests.pretrain.convert.deepspeed.conftest import FROZEN, Script
from tests.pretrain.convert.deepspeed.made import reopened

pytestmark = pytest.mark.slow

# By name: how the loading script differs from fp32 on the tied model.
LOADS: dict[str, dict[str, Any]] = {
    **{f"zero-{stage}": {"stage": stage} for stage in range(4)},
    **{f"zero-{stage}-bf16": {"stage": stage, "dtype": "bfloat16", "model": "untied"} for stage in range(4)},
    **{f"zero-{stage}-fp16": {"stage": stage, "dtype": "float16", "model": "untied"} for stage in range(4)},
    "zero-1-bf16-summed-in-fp32": {"stage": 1, "dtype": "bfloat16", "accumulate": "fp32", "model": "untied"},
    "zero-1-frozen": {"stage": 1, "frozen": FROZEN, "model": "untied"},
    "zero-3-frozen-bf16": {"stage": 3, "frozen": FROZEN, "model": "untied", "dtype": "bfloat16"},
    "zero-2-aligned": {"stage": 2, "zero": {"parameter_alignment": True}},
    **{f"zero-{stage}-two-groups": {"stage": stage, "groups": "two"} for stage in range(4)},
    "zero-0-two-groups-bf16": {"stage": 0, "groups": "two", "dtype": "bfloat16", "model": "untied"},
    "zero-1-two-groups-summed-in-fp32": {"stage": 1, "groups": "two", "dtype": "bfloat16", "accumulate": "fp32"},
    "zero-2-two-groups-frozen": {"stage": 2, "groups": "two", "frozen": FROZEN, "model": "untied"},
    "zero-3-two-groups-bf16": {"stage": 3, "groups": "two", "dtype": "bfloat16", "model": "untied"},
    "zero-1-torch-schedule": {"stage": 1, "schedule": "torch"},
    "zero-3-deepspeed-schedule": {"stage": 3, "schedule": "deepspeed"},
}


@pytest.mark.parametrize("ranks", [1, 2])
def test_training_goes_on_as_from_deepspeeds_own_checkpoint(
    script: Script, models: dict[str, Model], ranks: int
) -> None:
    jobs = [script.job(name, **case, steps=3, save=True) for name, case in LOADS.items()]
    script.run(jobs, ranks, f"saved-{ranks}")
    own, ours = [], []
    for name, case in LOADS.items():
        saved, out = script.root / f"saved-{ranks}" / name, script.root / f"converted-{ranks}" / name
        folder = script.folders[case.get("model", "tied")]
        # By way of our checkpoint, so that nothing of DeepSpeed's own files is left.
        convert(saved / "checkpoint", "checkpoint", out / "checkpoint", Options(), folder)
        groups = 2 if case.get("groups") == "two" else 1
        options = Options(zero=case["stage"], ranks=ranks, dtype=case.get("dtype", "float32"), groups=groups)
        convert(out / "checkpoint", "deepspeed", out / "deepspeed", options, folder)
        own.append(script.job(name, **case, steps=2, load=str(saved / "checkpoint")))
        ours.append(script.job(name, **case, steps=2, load=str(out / "deepspeed"), consolidate=case["stage"] > 0))
    theirs = script.run(own, ranks, f"own-{ranks}")
    mine = script.run(ours, ranks, f"ours-{ranks}")
    for name, case in LOADS.items():
        for when in ("before", "after"):
            expected, found = (
                load_file(script.root / f"{which}-{ranks}" / name / f"{when}.safetensors") for which in ("own", "ours")
            )
            assert expected.keys() == found.keys()
            assert all(torch.equal(expected[key], found[key]) for key in expected), (name, when)
        if case.get("dtype") == "float16":
            # The scale is the first one again, as after no overflow it still is; only its count begins anew.
            for seen, iterations in ((mine, 2), (theirs, 5)):
                assert {one["scale"].pop("cur_iter") for one in seen[name]} == {str(iterations)}
        assert mine[name] == theirs[name], name
        if case["stage"] > 0:
            consolidated = load_file(script.root / f"ours-{ranks}" / name / "consolidated.safetensors")
            before = load_file(script.root / f"ours-{ranks}" / name / "before.safetensors")
            weights = {key.removeprefix("master:"): one for key, one in before.items() if key.startswith("master:")}
            assert weights.keys() <= consolidated.keys()
            assert all(torch.equal(weights[key], consolidated[key].float()) for key in weights), name


def test_a_hugging_face_folder_is_trained_from_its_first_step(script: Script, models: dict[str, Model]) -> None:
    convert(script.folders["untied"], "deepspeed", script.root / "from-hf", Options(zero=2, ranks=2))
    job = script.job("hf", model="untied", stage=2, steps=1, load=str(script.root / "from-hf"), save=True)
    fresh = script.job("fresh", model="untied", stage=2, steps=1, weights=True)
    seen = script.run([job, fresh], 2, "first-step")
    assert seen["hf"] == seen["fresh"]
    after = [load_file(script.root / "first-step" / name / "after.safetensors") for name in ("hf", "fresh")]
    assert all(torch.equal(after[0][key], after[1][key]) for key in after[0])
    folder = script.root / "first-step" / "hf" / "checkpoint" / "global_step1"
    assert reopened(folder, models["untied"]).adam_steps == 1
