"""The one real model that comes with a package index, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from pretrain.convert.convert import convert
from pretrain.convert.target import Options
from tests.pretrain.convert.test_convert import files

BASE = Path(__file__).parents[3] / "models" / "smollm2-135m-instruct"


@pytest.mark.slow
@pytest.mark.skipif(not BASE.exists(), reason="`make setup` has not made the base")
def test_smollm2_comes_back_byte_for_byte_in_little_memory(tmp_path: Path) -> None:
    there = convert(BASE, "checkpoint", tmp_path / "checkpoint", Options())
    back = convert(tmp_path / "checkpoint", "hf", tmp_path / "hf", Options())
    assert files(tmp_path / "hf") == files(BASE)
    largest = 4 * 49_152 * 576
    for report in (there, back):
        assert report.tensors == 272
        assert report.peak_memory_above_start_bytes < 3 * largest + 500e6
    narrow = convert(BASE, "hf", tmp_path / "narrow", Options(dtype="bfloat16", max_shard_size="100MB"))
    wide = convert(tmp_path / "narrow", "checkpoint", tmp_path / "wide", Options())
    assert (narrow.tensors, wide.tensors) == (272, 272)
    convert(tmp_path / "wide", "hf", tmp_path / "again", Options(max_shard_size="100MB"))
    assert files(tmp_path / "again") == files(tmp_path / "narrow")


@pytest.mark.slow
@pytest.mark.skipif(not BASE.exists(), reason="`make setup` has not made the base")
@pytest.mark.parametrize("zero", [1, 3])
def test_smollm2_comes_back_through_every_format(tmp_path: Path, zero: int) -> None:
    convert(BASE, "hf", tmp_path / "base", Options(dtype="bfloat16"))
    convert(tmp_path / "base", "checkpoint", tmp_path / "checkpoint", Options())
    convert(tmp_path / "checkpoint", "deepspeed", tmp_path / "deepspeed", Options(zero=zero, ranks=2))
    convert(tmp_path / "deepspeed", "megatron", tmp_path / "megatron", Options(tp=3, pp=2, dtype="bfloat16"))
    convert(tmp_path / "megatron", "hf", tmp_path / "hf", Options())
    assert files(tmp_path / "hf") == files(tmp_path / "base")
