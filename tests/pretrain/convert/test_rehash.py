"""An input whose bytes are not those that were written is never published, whenever that is noticed."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from configs.errors import UserError
from pretrain.checkpoint.part_file import threads
from pretrain.convert import rehash
from pretrain.convert.average import average
from pretrain.convert.convert import convert
from pretrain.convert.source import Format
from pretrain.convert.target import Options
from tests.pretrain.convert.test_convert import files, write_folder
from tests.pretrain.models.test_family import config

_CHANGED = r"its bytes changed since it was written"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An HF folder."""
    return write_folder(tmp_path_factory.mktemp("hf") / "in", config("llama"))


@pytest.fixture(params=["beside", "before"])
def when(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the weights count as large, and are looked at beside, or as small, and are looked at before."""
    if request.param == "beside":
        monkeypatch.setattr(rehash, "_SMALL_BYTES", 0)
    found: str = request.param
    return found


def flip(path: Path, at: int) -> None:
    """Change a byte as a disk does, which tells nobody the time."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.usefixtures("when")
def test_a_byte_that_flips_anywhere_leaves_no_folder_and_names_the_file(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "checkpoint"
    convert(folder, "checkpoint", made, Options())
    ours = ("manifest.json", "plan.json")
    for path in (one for one in made.rglob("*") if one.is_file() and one.name not in ours):
        size = path.stat().st_size
        # Of the weights: the header's length, its braces, a name, the last number, and between them.
        for at in {0, 8, 20, size - 1, *range(30, size, max(1, size // 12))}:
            if at < size:
                flip(path, at)
                with pytest.raises(UserError, match=path.name):
                    convert(made, "hf", tmp_path / "out", Options())
                flip(path, at)
    assert not (tmp_path / "out").exists()
    convert(made, "hf", tmp_path / "out", Options())
    assert files(tmp_path / "out") == files(folder)


@pytest.mark.usefixtures("when")
def test_what_was_written_of_a_damaged_input_is_not_gone_on_with(folder: Path, tmp_path: Path) -> None:
    made = tmp_path / "checkpoint"
    convert(folder, "checkpoint", made, Options())
    flip(made / "part-00000-000.safetensors", -1)
    with pytest.raises(UserError, match=rf"part-00000-000\.safetensors: {_CHANGED} .*; take another checkpoint"):
        convert(made, "hf", tmp_path / "out", Options())
    assert not list(tmp_path.rglob("out.partial-*/*.safetensors"))
    flip(made / "part-00000-000.safetensors", -1)
    convert(made, "hf", tmp_path / "out", Options())
    assert files(tmp_path / "out") == files(folder)


def _hf(folder: Path, out: Path) -> Path:
    convert(folder, "hf", out, Options())
    return out / "model.safetensors"


def _deepspeed(folder: Path, out: Path) -> Path:
    convert(folder, "deepspeed", out, Options())
    return next(out.rglob("*_optim_states.pt"))


def _megatron(folder: Path, out: Path) -> Path:
    convert(folder, "megatron", out, Options())
    return next(out.rglob("*.distcp"))


@pytest.mark.parametrize("write", [_hf, _deepspeed, _megatron])
@pytest.mark.parametrize("to", ["checkpoint", "deepspeed", "megatron"])
def test_what_this_command_wrote_in_a_foreign_format_is_looked_at_too(
    folder: Path, tmp_path: Path, write: Callable[[Path, Path], Path], to: Format
) -> None:
    flipped = write(folder, tmp_path / "foreign")
    flip(flipped, flipped.stat().st_size * 2 // 3)
    with pytest.raises(UserError, match=rf"{flipped.name}: {_CHANGED} .*or remove .*manifest\.json if it was changed"):
        convert(tmp_path / "foreign", to, tmp_path / "out", Options())
    assert not (tmp_path / "out").exists()
    (tmp_path / "foreign" / "manifest.json").unlink()
    convert(tmp_path / "foreign", to, tmp_path / "out", Options())


def test_each_of_more_files_than_threads_is_looked_at(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehash, "_SMALL_BYTES", 0)
    convert(folder, "hf", tmp_path / "shards", Options(max_shard_size="2KB"))
    with closing(rehash.Rehash([tmp_path / "shards"])) as beside:
        beside.refuse_damage()
    shards = sorted((tmp_path / "shards").glob("*.safetensors"))
    assert len(shards) > 2 * threads()
    for shard in shards:
        flip(shard, -1)
        with closing(rehash.Rehash([tmp_path / "shards"])) as beside, pytest.raises(UserError, match=shard.name):
            beside.refuse_damage()
        flip(shard, -1)


def test_a_damaged_one_of_those_that_are_averaged_is_named(folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        convert(folder, "checkpoint", tmp_path / name, Options())
    flip(tmp_path / "a" / "part-00000-000.safetensors", -1)
    with pytest.raises(UserError, match=rf"a/part-00000-000\.safetensors: {_CHANGED}"):
        average([tmp_path / "a", tmp_path / "b"], "hf", tmp_path / "out", Options())
    assert not (tmp_path / "out").exists()
