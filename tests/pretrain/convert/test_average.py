from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.artifact import Artifact
from configs.errors import UserError
from configs.load import read_placed
from configs.resolved import write_resolved
from configs.schema.run import Run
from pretrain.checkpoint.directory import complete
from pretrain.convert.average import average
from pretrain.convert.convert import convert
from pretrain.convert.target import Options
from tests.pretrain.convert.test_convert import files, write_folder
from tests.pretrain.models.test_family import config


def folders(root: Path, count: int, dtype: torch.dtype = torch.float32) -> list[Path]:
    """HF folders of one model whose weights differ."""
    first = write_folder(root / "0", config("llama"), dtype)
    made = [first]
    for number in range(1, count):
        folder = write_folder(root / str(number), config("llama"), dtype)
        generator = torch.Generator().manual_seed(number)
        tensors = load_file(folder / "model.safetensors")
        moved = {name: (one + torch.randn(one.shape, generator=generator)).to(dtype) for name, one in tensors.items()}
        save_file(moved, folder / "model.safetensors", metadata={"format": "pt"})
        made.append(folder)
    return made


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def mean(made: list[Path], dtype: torch.dtype) -> dict[str, torch.Tensor]:
    """By another way: all of it in float64."""
    every = [weights(folder) for folder in made]
    return {name: torch.stack([one[name].double() for one in every]).mean(0).to(dtype) for name in every[0]}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_mean_is_rounded_once_to_the_number_format_of_its_sources(tmp_path: Path, dtype: torch.dtype) -> None:
    made = folders(tmp_path, 3, dtype)
    average(made, "hf", tmp_path / "out", Options())
    found, expected = weights(tmp_path / "out"), mean(made, dtype)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    others = {name: data for name, data in files(made[2]).items() if not name.endswith(".safetensors")}
    assert {name: data for name, data in files(tmp_path / "out").items() if name in others} == others


def test_asked_for_float32_the_mean_of_bfloat16_is_not_rounded_to_it(tmp_path: Path) -> None:
    made = folders(tmp_path, 2, torch.bfloat16)
    average(made, "hf", tmp_path / "out", Options(dtype="float32"))
    found, expected = weights(tmp_path / "out"), mean(made, torch.float32)
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not all(torch.equal(one, one.bfloat16().float()) for one in found.values())


def test_the_mean_of_equals_is_each_of_them(tmp_path: Path) -> None:
    first = folders(tmp_path, 1)[0]
    for number in (1, 2):
        convert(first, "checkpoint", tmp_path / f"equal-{number}", Options())
    average([first, tmp_path / "equal-1", tmp_path / "equal-2"], "checkpoint", tmp_path / "out", Options())
    convert(tmp_path / "out", "hf", tmp_path / "back", Options())
    assert files(tmp_path / "back") == files(first)


def test_the_same_again_is_complete_and_another_order_is_another_mean(tmp_path: Path) -> None:
    made = folders(tmp_path, 2)
    assert not average(made, "hf", tmp_path / "out", Options()).complete_before
    assert average(made, "hf", tmp_path / "out", Options()).complete_before
    with pytest.raises(UserError, match="is there already, and not from this input"):
        average([*made, folders(tmp_path / "more", 1)[0]], "hf", tmp_path / "out", Options())
    counted = Artifact.open(tmp_path / "out", check="sha256").manifest["config"]["asked"]["average_of"]
    assert counted == 2


def test_the_newest_checkpoints_of_a_run(trained: Run, packed_root: Path, tmp_path: Path) -> None:
    # The command line leaves it there.
    write_resolved(trained, read_placed(packed_root / "run.yaml", [f"run.dir={trained.run.dir}"]), trained.run.dir)
    newest = complete(trained.run.dir / "checkpoints")[-2:]
    report = average([trained.run.dir], "hf", tmp_path / "out", Options(), last=2)
    assert report.source == "checkpoint"
    for number, checkpoint in enumerate(newest):
        convert(checkpoint, "hf", tmp_path / str(number), Options())
    found, expected = weights(tmp_path / "out"), mean([tmp_path / "0", tmp_path / "1"], torch.float32)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_too_few_and_the_same_twice_are_refused(trained: Run, tmp_path: Path) -> None:
    one, other = folders(tmp_path, 2)
    there = len(complete(trained.run.dir / "checkpoints"))
    for paths, last, match in (
        ([one], None, "two folders or more"),
        ([one, other, one], None, "each named once"),
        ([one, other], 2, "checkpoints of one run, but 2 folders"),
        ([trained.run.dir], 1, "takes 2 or more"),
        ([trained.run.dir], there + 1, rf"has {there} complete checkpoint\(s\), --last {there + 1}"),
    ):
        with pytest.raises(UserError, match=match):
            average(paths, "hf", tmp_path / "out", Options(), last=last)
    assert not (tmp_path / "out").exists()


def test_folders_of_other_models_are_refused(tmp_path: Path) -> None:
    one, other = folders(tmp_path, 2)
    settings = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(settings | {"rms_norm_eps": 0.5}))
    with pytest.raises(UserError, match=r"differs from that of .* in rms_norm_eps; only checkpoints of one model"):
        average([one, other], "hf", tmp_path / "out", Options())
    (other / "config.json").write_text(json.dumps(settings))
    (other / "tokenizer.json").write_text("{}")
    with pytest.raises(UserError, match=r"in tokenizer\.json; only"):
        average([one, other], "hf", tmp_path / "out", Options())
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_on_the_command_line(tmp_path: Path) -> None:
    made = folders(tmp_path, 2)
    command = [sys.executable, "-m", "tsugiki", "pretrain", "average", *map(str, made), "--out", str(tmp_path / "out")]
    ended = subprocess.run([*command, "--no-gate", "--json"], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout)["tensors"] == len(weights(made[0]))
