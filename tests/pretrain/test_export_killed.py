"""An export that is killed goes on with the whole files, and gives the bytes of one that was not."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from configs.artifact import MANIFEST
from configs.errors import UserError
from configs.load import read_placed
from configs.resolved import RESOLVED, write_resolved
from configs.schema.run import Run
from pretrain.export import export_model
from pretrain.stage import checkpoints_dir, model_dir
from tests.pretrain.conftest import MakeRun

REPOSITORY = Path(__file__).parents[2]

# Kills itself when the file or directory of this name has got its name.
_KILLED = """
import os, signal, sys
from pathlib import Path
from configs.errors import UserError
from configs.load import load
from configs.schema.run import Run
from pretrain.export import export_model

rename = os.replace

def replace(source, target):
    rename(source, target)
    if Path(target).name == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

os.replace = replace
export_model(load(Path(sys.argv[1]), Run))
"""
_OVERRIDES = ["export.max_shard_size=20KB", "export.dtype=float32", "export.prompts=[]"]


def killed(run: Run, at: str) -> Path:
    """Export in another process until a file is whole; gives the directory that it left."""
    command = [sys.executable, "-c", _KILLED, str(run.run.dir / RESOLVED), at]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return model_dir(run).with_name("model.unchecked")


def files(folder: Path) -> dict[str, bytes]:
    """Every file but the journal, which tells of times."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if name != "run.jsonl"}


@pytest.mark.slow
def test_killed_at_any_moment_it_keeps_whole_files_and_gives_the_same_bytes(
    trained: Run, packed: MakeRun, packed_root: Path
) -> None:
    run = packed(*_OVERRIDES)
    shutil.copytree(checkpoints_dir(trained), checkpoints_dir(run))
    write_resolved(run, read_placed(packed_root / "run.yaml", [f"run.dir={run.run.dir}", *_OVERRIDES]), run.run.dir)
    export_model(run)
    undisturbed = files(model_dir(run))
    assert len([name for name in undisturbed if name.endswith(".safetensors")]) > 3
    number = sorted(name for name in undisturbed if name.endswith(".safetensors"))[1].removeprefix("hf/")
    for at in (number, "config.json", "gate.json", MANIFEST):
        shutil.rmtree(model_dir(run))
        left = killed(run, at)
        assert not model_dir(run).exists()
        weights = {path.name: path.stat().st_mtime_ns for path in left.glob("hf/*.safetensors")}
        assert weights
        (left / "hf" / f".{number}.torn.partial").write_bytes(b"of the attempt that was killed")
        export_model(run)
        assert not left.exists()
        assert files(model_dir(run)) == undisturbed, at
        assert {name: (model_dir(run) / "hf" / name).stat().st_mtime_ns for name in weights} == weights


def test_what_another_run_file_left_is_not_gone_on_with(trained: Run, packed: MakeRun) -> None:
    run = packed("export.dtype=bfloat16", "export.prompts=[]")
    shutil.copytree(checkpoints_dir(trained), checkpoints_dir(run))
    export_model(run)
    left = model_dir(run).with_name("model.unchecked")
    model_dir(run).rename(left)
    (left / MANIFEST).unlink()
    other = packed("export.dtype=float16", "export.prompts=[]")
    export_model(other)
    assert json.loads((model_dir(other) / "hf" / "config.json").read_text())["dtype"] == "float16"
    assert b"F16" in (model_dir(other) / "hf" / "model.safetensors").read_bytes()[:2000]
    assert not left.exists()


def test_a_whole_file_that_was_damaged_meanwhile_does_not_pass(trained: Run, packed: MakeRun) -> None:
    run = packed("export.dtype=bfloat16", "export.prompts=[]")
    shutil.copytree(checkpoints_dir(trained), checkpoints_dir(run))
    export_model(run)
    left = model_dir(run).with_name("model.unchecked")
    model_dir(run).rename(left)
    (left / MANIFEST).unlink()
    data = bytearray((left / "hf" / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (left / "hf" / "model.safetensors").write_bytes(data)
    with pytest.raises(UserError, match=r"model\.rejected: the exported folder is not what was trained: weights: "):
        export_model(run)
    export_model(run)
