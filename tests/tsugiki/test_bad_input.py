"""What is wrong with the input is told by the command in one line, before anything is allocated or overwritten."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.artifact import Claim
from configs.errors import UserError
from pretrain.indexed_tokens import write_documents
from tests.tsugiki.conftest import REPOSITORY, made_by
from tsugiki.__main__ import main
from tsugiki.processes import run_together

_MADE_BY_TRAINING = ("checkpoints", "model", "report")


def words(root: Path, run_dir: Path, *overrides: str) -> list[str]:
    """`tsugiki run` in a directory of its own."""
    overrides = (f"run.dir={run_dir}", *overrides)
    return ["run", str(root / "run.yaml"), *(word for one in overrides for word in ("--set", one))]


@pytest.fixture
def packed(finished: Path, tmp_path: Path) -> Path:
    """A run directory in which all is done but training and what follows from it."""
    shutil.copytree(finished / "run", tmp_path / "run", ignore=lambda _, names: set(names) & set(_MADE_BY_TRAINING))
    return tmp_path / "run"


@pytest.fixture
def interrupted(finished: Path, tmp_path: Path) -> Path:
    """A run directory in which training has its last checkpoints, and has not said that it is done."""
    shutil.copytree(finished / "run", tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "manifest.json").unlink()
    for later in ("model", "report"):
        shutil.rmtree(tmp_path / "run" / later)
    return tmp_path / "run"


def shorten(path: Path) -> None:
    """Take away the last byte."""
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param("tokens/*.bin", id="tokens"),
        pytest.param("tokens/*.idx", id="index of the tokens"),
        pytest.param("packed/64/*.*", id="index of the packed sequences"),
    ],
)
def test_a_truncated_shard_is_named_before_training_begins(
    finished: Path, packed: Path, capsys: pytest.CaptureFixture[str], pattern: str
) -> None:
    path = sorted(one for one in packed.glob(pattern) if one.name not in ("manifest.json", "plan.json", "run.jsonl"))[0]
    size = path.stat().st_size
    shorten(path)
    assert main(words(finished, packed)) == 1
    assert capsys.readouterr().err.endswith(
        f"tsugiki: {path}: {size - 1} bytes, the manifest says {size}; remove the directory and run again\n"
    )
    assert not (packed / "checkpoints").exists()


def test_a_truncated_part_of_a_checkpoint_is_passed_over_with_a_warning(
    finished: Path, interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = interrupted / "checkpoints" / "step-00000012"
    part = checkpoint / "part-00000-000.safetensors"
    size = part.stat().st_size
    shorten(part)
    assert main(words(finished, interrupted)) == 0
    warning = f"{part}: {size - 1} bytes, the manifest says {size}; going back to the checkpoint before\n"
    assert capsys.readouterr().err.count(warning) == 1
    assert (interrupted / "checkpoints" / "step-00000012.damaged").exists() is False, "removed once there is a new one"
    one, other = made_by(finished / "run"), made_by(interrupted)
    assert [name for name in one if one[name] != other[name] and not name.startswith("report/")] == []


def test_when_every_checkpoint_is_truncated_nothing_begins_anew_by_itself(
    finished: Path, interrupted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = interrupted / "checkpoints"
    for part in root.glob("step-*/part-*.safetensors"):
        shorten(part)
    assert main(words(finished, interrupted)) == 1
    assert f"tsugiki: {root}: none of its 2 checkpoints is whole" in capsys.readouterr().err
    assert len(list(root.glob("step-*/manifest.json"))) == 2


def test_a_checkpoint_of_another_run_is_refused(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, run_dir = str(finished / "run.yaml"), tmp_path / "run"
    others = ["--set", f"run.dir={run_dir}", "--set", "run.seed=6"]
    for noun, verb in (("corpus", "build"), ("tokenizer", "extend"), ("pretrain", "pack")):
        assert main([noun, verb, file, *others]) == 0
    theirs = run_dir / "checkpoints" / "step-00000012"
    shutil.copytree(finished / "run" / "checkpoints" / theirs.name, theirs)
    assert main(["run", file, *others]) == 1
    assert capsys.readouterr().err.endswith(
        f"tsugiki: {theirs}: a checkpoint of another run: made with another tokenizer, other data, or "
        "another seed. Remove it to go on without it, or name another run.dir\n"
    )
    assert theirs.exists()


def test_tokens_of_another_tokenizer_are_refused_by_the_first_that_it_lacks(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens, lengths = np.array([5, 6, 7, 340]), np.array([2, 2])
    write_documents(Claim(tmp_path, "task", "digest"), "brought", [(tokens, lengths)], np.dtype(np.int32))
    mixture = "pretrain.stages={all: {tokens: 3072, mixture: {mine: 0.5, inhouse: 0.5}}}"
    sources = f"pretrain.token_sources={{mine: {tmp_path}/brought}}"
    assert main(words(finished, tmp_path / "run", sources, mixture)) == 1
    err = capsys.readouterr().err
    assert f"tsugiki: {tmp_path}/brought.bin: document 1 has the token 340, the tokenizer has 340" in err
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_truncated_tokens_that_are_brought_are_named_before_any_are_packed(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tokens, lengths = np.array([5, 6, 7, 8]), np.array([2, 2])
    write_documents(Claim(tmp_path, "task", "digest"), "brought", [(tokens, lengths)], np.dtype(np.int32))
    shorten(tmp_path / "brought.bin")
    mixture = "pretrain.stages={all: {tokens: 3072, mixture: {mine: 0.5, inhouse: 0.5}}}"
    sources = f"pretrain.token_sources={{mine: {tmp_path}/brought}}"
    assert main(words(finished, tmp_path / "run", sources, mixture)) == 1
    err = capsys.readouterr().err
    assert err.endswith(f"tsugiki: {tmp_path}/brought.bin: 15 bytes, its index says 16; truncated? copy it again\n")
    assert not list((tmp_path / "run" / "tokens").glob("*.bin"))


def test_token_shards_stay_with_the_tokenizer_that_made_them(
    finished: Path, packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(packed / "tokenizer")
    assert main(words(finished, packed, "tokenizer.add=10")) == 1
    assert capsys.readouterr().err.endswith(
        f"tsugiki: {packed}/tokens: was made of another tokenizer than {packed}/tokenizer holds now; "
        f"remove {packed}/tokens and run the stage 'pack' again\n"
    )
    assert not list((packed / "checkpoints").glob("step-*"))


def _base(finished: Path, tmp_path: Path, change: dict[str, Any]) -> str:
    """The tiny base with another config.json."""
    shutil.copytree(finished / "base", tmp_path / "base")
    path = tmp_path / "base" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    return f"pretrain.base={tmp_path}/base"


def _megatron(parallel: str) -> Callable[[Path, Path], list[str]]:
    return lambda finished, tmp_path: ["pretrain.engine=megatron", f"pretrain.parallel={parallel}"]


@pytest.mark.parametrize(
    ("overrides", "status", "message"),
    [
        pytest.param(
            _megatron("{processes: 3, tensor: 3}"),
            1,
            "tsugiki: pretrain.parallel: the model's 4 attention heads are not divisible by parallel.tensor (3); the "
            "model's 2 key/value heads are not divisible by parallel.tensor (3); the model's 32 hidden size are not "
            "divisible by parallel.tensor (3)\n",
            id="heads",
        ),
        pytest.param(
            _megatron("{processes: 4, pipeline: 4}"),
            1,
            "tsugiki: pretrain.parallel: the model's 2 layers are not divisible by parallel.pipeline (4)\n",
            id="layers",
        ),
        pytest.param(
            lambda finished, tmp_path: [_base(finished, tmp_path, {"vocab_size": 319})],
            1,
            "/base: its tokenizer has 320 tokens, its embeddings 319 rows\n",
            id="vocabulary",
        ),
        pytest.param(
            lambda finished, tmp_path: [_base(finished, tmp_path, {"model_type": "mamba"})],
            1,
            "/base: architecture 'mamba' is not supported; supported: ",
            id="architecture",
        ),
        pytest.param(
            lambda finished, tmp_path: [
                _base(
                    finished, tmp_path, {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}
                )
            ],
            1,
            "/base/config.json: not supported: rope_type 'dynamic'",
            id="rotary embedding",
        ),
        pytest.param(
            _megatron("{processes: 3, tensor: 2}"),
            2,
            "pretrain.parallel: nodes x processes (3) must be a multiple of tensor x pipeline x context (2)\n",
            id="processes and tensor",
        ),
        pytest.param(
            lambda finished, tmp_path: ["pretrain.engine=deepspeed", "pretrain.parallel={processes: 3}"],
            2,
            "pretrain.batch_tokens: stage 'all' has 4 sequences in a step, which 3 data ranks (nodes x processes / "
            "tensor / pipeline / context) with micro_batch 1 cannot share evenly\n",
            id="processes and batch",
        ),
    ],
)
def test_what_cannot_be_trained_is_told_before_the_first_stage(
    finished: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    overrides: Callable[[Path, Path], list[str]],
    status: int,
    message: str,
) -> None:
    assert main(words(finished, tmp_path / "run", *overrides(finished, tmp_path))) == status
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert {path.name for path in (tmp_path / "run").glob("*")} <= {".lock", "resolved.yaml"}


@pytest.mark.slow
def test_a_launcher_with_a_world_size_that_does_not_divide_is_told_so_once(
    finished: Path, packed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    verb = ["pretrain", "train", str(finished / "run.yaml"), "--set", f"run.dir={packed}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tsugiki", *verb, "--set", "pretrain.engine=deepspeed"]
    with pytest.raises(UserError, match="training stopped: process 0 ended with status 1"):
        run_together(command, 3, environment)
    err = capfd.readouterr().err
    assert re.findall(r"^tsugiki: .*$", err, re.MULTILINE) == [
        "tsugiki: stage 'all': a step of 4 sequences (batch_tokens 256 / seq_len 64) cannot be shared evenly among 3 "
        "data ranks with 1 sequence(s) in a forward pass; change pretrain.batch_tokens, pretrain.micro_batch or the "
        "number of processes"
    ]
    assert "Traceback" not in err
    assert not list((packed / "checkpoints").glob("step-*"))
