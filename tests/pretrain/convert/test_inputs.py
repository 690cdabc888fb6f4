"""Whether a result is of its input as it is now, whatever sizes and times say."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from configs.errors import UserError
from pretrain.convert.average import average
from pretrain.convert.convert import convert
from pretrain.convert.find_model import find_model
from pretrain.convert.inputs import identity
from pretrain.convert.target import Options
from tests.pretrain.convert.test_convert import write_folder
from tests.pretrain.convert.test_rehash import flip
from tests.pretrain.models.test_family import config

_OTHER = "is there already, and not from this input as it is now"
_WEIGHTS, _PART = "model.safetensors", "part-00000-000.safetensors"


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """An HF folder that transformers wrote."""
    return write_folder(tmp_path / "in", config("llama"))


@pytest.fixture
def ours(foreign: Path, tmp_path: Path) -> Path:
    """A checkpoint, with its manifest."""
    convert(foreign, "checkpoint", tmp_path / "ours", Options())
    return tmp_path / "ours"


def take_the_place(path: Path) -> None:
    """Put another file of the same size and time where one is, as `mv` does."""
    other = path.with_name("other")
    shutil.copy2(path, other)
    flip(other, -1)
    os.replace(other, path)


@pytest.mark.parametrize("name", [_WEIGHTS, "tokenizer.json", "additional_chat_templates/tool.jinja"])
@pytest.mark.parametrize("change", [take_the_place, lambda path: flip(path, -1)], ids=["replaced", "overwritten"])
def test_another_file_of_the_same_size_and_time_makes_a_result_that_of_another_input(
    foreign: Path, tmp_path: Path, name: str, change: object
) -> None:
    convert(foreign, "hf", tmp_path / "out", Options())
    assert convert(foreign, "hf", tmp_path / "out", Options()).complete_before
    before = (foreign / name).stat()
    assert callable(change)
    change(foreign / name)
    after = (foreign / name).stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    with pytest.raises(UserError, match=_OTHER):
        convert(foreign, "hf", tmp_path / "out", Options())


def test_a_file_that_is_as_its_manifest_says_is_the_same_wherever_it_lies(ours: Path, tmp_path: Path) -> None:
    convert(ours, "hf", tmp_path / "out", Options())
    shutil.copytree(ours, tmp_path / "copy", copy_function=shutil.copyfile)  # other times, other places
    assert convert(tmp_path / "copy", "hf", tmp_path / "out", Options()).complete_before
    os.utime(ours / _PART)
    assert convert(ours, "hf", tmp_path / "out", Options()).complete_before


def test_a_file_that_differs_from_its_manifest_is_not_what_a_result_was_made_of(ours: Path, tmp_path: Path) -> None:
    convert(ours, "hf", tmp_path / "out", Options())
    flip(ours / _PART, -1)
    with pytest.raises(UserError, match=_OTHER):
        convert(ours, "hf", tmp_path / "out", Options())


def test_a_checkpoint_of_the_same_sizes_and_older_is_another(foreign: Path, ours: Path, tmp_path: Path) -> None:
    flip(foreign / _WEIGHTS, -1)
    convert(foreign, "checkpoint", tmp_path / "other", Options())
    convert(ours, "hf", tmp_path / "out", Options())
    shutil.rmtree(ours)
    (tmp_path / "other").rename(ours)
    with pytest.raises(UserError, match=_OTHER):
        convert(ours, "hf", tmp_path / "out", Options())


def test_of_several_inputs_each_counts(ours: Path, foreign: Path, tmp_path: Path) -> None:
    average([ours, foreign], "hf", tmp_path / "out", Options())
    assert average([ours, foreign], "hf", tmp_path / "out", Options()).complete_before
    take_the_place(foreign / _WEIGHTS)
    with pytest.raises(UserError, match=_OTHER):
        average([ours, foreign], "hf", tmp_path / "out", Options())


@pytest.mark.parametrize("kind", ["foreign", "ours"])
def test_what_a_killed_attempt_left_is_of_the_input_as_it_was(
    kind: str, ours: Path, foreign: Path, tmp_path: Path
) -> None:
    folder, name = (ours, _PART) if kind == "ours" else (foreign, _WEIGHTS)

    def digest() -> str:
        return identity("hf", {}, folder, find_model("checkpoint" if kind == "ours" else "hf", folder, None)).digest

    before = digest()
    assert digest() == before
    flip(folder / name, -1)
    assert digest() != before
