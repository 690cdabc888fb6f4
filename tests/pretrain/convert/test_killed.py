"""A conversion that is killed goes on with the same command."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.lock import exclusive
from pretrain.convert.convert import convert
from pretrain.convert.recorded import NUMBERS
from pretrain.convert.source import Format
from pretrain.convert.target import Options
from tests.pretrain.convert.test_convert import files, write_folder
from tests.pretrain.models.test_family import config

REPOSITORY = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("to", "options", "files_before"),
    [
        pytest.param("hf", {"max_shard_size": "100KB"}, 4, id="hf"),
        pytest.param("checkpoint", {}, 1, id="checkpoint"),
        pytest.param("megatron", {"tp": 2, "pp": 2}, 3, id="megatron"),
        pytest.param("deepspeed", {"zero": 1, "ranks": 4}, 9, id="deepspeed"),
    ],
)
def test_killed_and_begun_again_it_keeps_whole_files_and_gives_the_same_bytes(
    tmp_path: Path, to: Format, options: dict[str, str | int], files_before: int
) -> None:
    settings = config("llama", vocab_size=40_000, hidden_size=24, num_hidden_layers=8, num_key_value_heads=2)
    folder = write_folder(tmp_path / "in", settings)
    verb = ["convert", str(folder), "--to", to, "--out", str(tmp_path / "out")]
    verb += [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    verb += ["--no-gate"] if to == "hf" else []
    at = ("os", "replace", str(files_before + 1), "0", str(int(signal.SIGKILL)))  # before one more has its name
    command = [sys.executable, "-m", "tests.at_call", *at, *verb]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    [partial] = tmp_path.glob("out.partial-*")
    (partial / ".torn.partial").write_bytes(b"of an attempt that was killed")
    whole = [path for path in partial.rglob("*") if path.is_file() and not path.name.startswith(".")]
    kept = {path.relative_to(partial): path.stat().st_mtime_ns for path in whole}
    assert len(kept) == files_before
    assert any(path.suffix in NUMBERS for path in kept)
    convert(folder, to, tmp_path / "out", Options(**options))  # type: ignore[arg-type]  # each is of its own type
    assert {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in kept} == kept
    convert(folder, to, tmp_path / "undisturbed", Options(**options))  # type: ignore[arg-type]
    assert files(tmp_path / "out") == files(tmp_path / "undisturbed")
    assert (tmp_path / "out" / "manifest.json").read_bytes() == (tmp_path / "undisturbed/manifest.json").read_bytes()
    assert not list(tmp_path.glob("out.*"))


def test_what_another_input_or_other_options_left_is_not_gone_on_with(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    left = tmp_path / "out.partial-00000000"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"of another input")
    with exclusive(left), pytest.raises(UserError, match=r"process \d+ works here; wait for it, or name another --out"):
        convert(folder, "hf", tmp_path / "out", Options())
    convert(folder, "hf", tmp_path / "out", Options())
    assert files(tmp_path / "out") == files(folder)
    assert not left.exists()


def test_a_file_of_the_result_that_was_removed_is_missed_when_the_same_command_is_given(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", config("llama"))
    convert(folder, "hf", tmp_path / "out", Options())
    (tmp_path / "out" / "tokenizer.json").unlink()
    with pytest.raises(UserError, match=r"tokenizer\.json: missing, though the manifest names it"):
        convert(folder, "hf", tmp_path / "out", Options())
    shutil.rmtree(tmp_path / "out")
    assert not convert(folder, "hf", tmp_path / "out", Options()).complete_before
