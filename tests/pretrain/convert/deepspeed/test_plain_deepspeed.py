"""What a plain DeepSpeed script saved is read as DeepSpeed itself gathers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from pretrain.checkpoint.boxes import Box
from pretrain.convert.convert import convert
from pretrain.convert.deepspeed.source import KINDS, open_deepspeed
from pretrain.convert.source import DTYPES, refuse_leftovers
from pretrain.convert.target import Options
from tests.pretrain.convert.deepspeed.conftest import CASES, Trained

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", CASES)
def test_weights_moments_and_steps_are_those_that_deepspeed_gathers(trained: dict[str, Trained], name: str) -> None:
    one, exact = trained[name], name != "zero-1-round-robin"
    # DeepSpeed's own functions look in the wrong place under round-robin; without it the numbers are the same but
    # for the order in which their norm is summed.
    expected = trained[name if exact else "zero-1"].held
    source = open_deepspeed(one.checkpoint, one.model)
    refuse_leftovers(source.shapes, one.model, one.checkpoint)
    found = {f"{kind}:{name}" for name in source.shapes for kind in KINDS if source.has(name, kind)}
    assert found == expected.keys()
    band: dict[str, Any] = {"rtol": 0.0, "atol": 0.0} if exact else {"rtol": 1e-4, "atol": 1e-7}
    for tensor, shape in source.shapes.items():
        for kind in KINDS:
            if source.has(tensor, kind):
                values, wanted = source.read(tensor, Box.whole(shape), kind), expected[f"{kind}:{tensor}"]
                torch.testing.assert_close(values.float(), wanted.float(), **band)
    assert source.step == 3
    # Without ZeRO, in 16 bits, DeepSpeed lets Adam take a step with no gradient at the start.
    assert source.adam_steps == (4 if name in ("zero-0-bf16", "zero-0-fp16") else 3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["zero-0-frozen", "zero-1", "zero-2-aligned", "zero-2-fp16", "zero-3-bf16"])
def test_the_hugging_face_folder_holds_the_gathered_weights(
    trained: dict[str, Trained], folders: dict[str, Path], tmp_path: Path, name: str, dtype: str
) -> None:
    one = trained[name]
    model = folders[one.case.get("model", "tied")]
    convert(one.checkpoint.parent, "hf", tmp_path / "hf", Options(dtype=dtype), model)
    found = load_file(tmp_path / "hf" / "model.safetensors")
    expected = {key.removeprefix("master:"): one for key, one in one.held.items() if key.startswith("master:")}
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key].to(DTYPES[dtype])) for key in expected)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "hf").dtype == DTYPES[dtype]
