"""Whole runs: the same bytes every time, stage by stage or at once; what is refused, and how it is told."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.lock import exclusive
from tests.tsugiki.conftest import made_by, tsugiki
from tsugiki.__main__ import main


def test_run_again_it_says_that_everything_is_complete(finished: Path) -> None:
    before = made_by(finished / "run")
    again = tsugiki("run", str(finished / "run.yaml"))
    assert again.returncode == 0
    assert "everything is complete" in again.stderr
    assert "28 in, 22 kept" in again.stdout
    assert made_by(finished / "run") == before


def test_two_runs_from_scratch_are_the_same_bytes(finished: Path, tmp_path: Path) -> None:
    assert main(["run", str(finished / "run.yaml"), "--set", f"run.dir={tmp_path}/run"]) == 0
    one, other = made_by(finished / "run"), made_by(tmp_path / "run")
    assert set(one) == set(other)
    # The page and the card of the export name directories; everything else is the same to the last byte.
    assert [name for name in one if one[name] != other[name]] == ["report/report.html", "report/manifest.json"]


def test_the_resolved_run_file_is_the_same_run(finished: Path) -> None:
    resolved = finished / "run" / "resolved.yaml"
    text = resolved.read_text()
    assert re.search(r"  seq_len: 64  # .*run\.yaml:\d+:\d+", text)
    assert "  micro_batch: 1  # default" in text
    assert main(["run", str(resolved)]) == 0


def test_each_stage_runs_alone_and_the_run_goes_on_from_there(finished: Path, tmp_path: Path) -> None:
    words = ["--set", f"run.dir={tmp_path}/run"]
    file = str(finished / "run.yaml")
    for verb in (("corpus", "build"), ("tokenizer", "extend"), ("pretrain", "pack"), ("pretrain", "train")):
        assert main([*verb, file, *words]) == 0
    assert main(["run", file, *words]) == 0
    one, other = made_by(finished / "run"), made_by(tmp_path / "run")
    assert all(one[name] == other[name] for name in one if not name.startswith("report/"))


def test_a_stage_before_its_turn_says_what_is_missing(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain", "pack", str(finished / "run.yaml"), "--set", f"run.dir={tmp_path}/run"]) == 1
    message = f"tsugiki: {tmp_path}/run/corpus: does not exist; run the stage that makes it first\n"
    assert capsys.readouterr().err.endswith(message)


def test_a_changed_run_file_on_an_existing_run_is_refused_before_anything_starts(
    finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = made_by(finished / "run")
    assert main(["run", str(finished / "run.yaml"), "--set", "tokenizer.min_count=4"]) == 1
    message = capsys.readouterr().err
    assert f"tsugiki: {finished}/run/tokenizer: was made differently: min_count: 3 -> 4. " in message
    assert "Name another run.dir or --out, or remove" in message
    assert made_by(finished / "run") == before


def test_how_the_work_is_done_may_change(finished: Path) -> None:
    words = ["--set", "corpus.workers=2", "--set", "pretrain.checkpoint.every_steps=3"]
    assert main(["run", str(finished / "run.yaml"), *words]) == 0


def test_two_at_once_in_one_directory_are_refused(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with exclusive(finished / "run"):
        assert main(["run", str(finished / "run.yaml")]) == 1
    assert f"process {os.getpid()} works here; wait for it" in capsys.readouterr().err


FIVE_MISTAKES = """\
run: {name: bad, dir: runs/bad, sead: 1}
corpus:
  sources: {a: {path: x, language: ja}}
pretrain:
  base: b
  seq_len: 10k
  stages:
    all: {tokens: 100, mixture: {a: 1}}
  optim:
    weight_decey: 0.2
    schedule: cosin
  seq_len: 4096
"""


def test_five_mistakes_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(FIVE_MISTAKES)
    assert main(["plan", str(file)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:5] == [
        f"{file}:1:1: run.seed: required, but not given",
        f"{file}:1:33: run.sead: unknown key; did you mean 'seed'?",
        f"{file}:6:12: pretrain.seq_len: expected an integer, got '10k'",
        f"{file}:10:5: pretrain.optim.weight_decey: unknown key; did you mean 'weight_decay'?",
        f"{file}:11:15: pretrain.optim.schedule: expected one of cosine, linear, sqrt, wsd, constant, got 'cosin'",
    ]
    assert lines[5:] == [
        f"{file}:12:3: pretrain.seq_len: given twice, first on line 6",
        "6 problem(s); nothing was started",
    ]


def test_a_source_that_does_not_exist_is_told_before_anything_starts(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--set", f"run.dir={tmp_path}/run", "--set", "corpus.sources.inhouse.path=no/such/folder"]
    assert main(["run", str(finished / "run.yaml"), *words]) == 1
    assert "tsugiki: corpus.sources.inhouse.path: no such file or folder: 'no/such/folder'" in capsys.readouterr().err
    assert list((tmp_path / "run").iterdir()) == [tmp_path / "run" / ".lock"]


def test_a_base_without_tokenizer_is_told(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = tmp_path / "base"
    shutil.copytree(finished / "base", base)
    (base / "tokenizer.json").unlink()
    words = ["--set", f"run.dir={tmp_path}/run", "--set", f"pretrain.base={base}"]
    assert main(["run", str(finished / "run.yaml"), *words]) == 1
    told = f"tsugiki: {base}: has no tokenizer.json and no tokenizer.model (found: tokenizer_config.json);"
    assert told in capsys.readouterr().err


@pytest.mark.slow
def test_several_processes_are_started_by_the_run_itself(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    words = ["--set", f"run.dir={tmp_path}/run", "--set", "pretrain.engine=deepspeed"]
    words += ["--set", "pretrain.parallel={processes: 2, zero: 1}"]
    done = tsugiki("run", str(finished / "run.yaml"), *words)
    assert done.returncode == 0, done.stderr
    losses = []
    for root in (finished, tmp_path):
        lines = (root / "run" / "checkpoints" / "metrics.jsonl").read_text().splitlines()
        losses.append([line["loss_nats"] for line in map(json.loads, lines) if line["kind"] == "step"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    parts = sorted(path.name for path in (tmp_path / "run" / "checkpoints" / "step-00000012").glob("*.safetensors"))
    assert parts == ["part-00000-000.safetensors", "part-00001-000.safetensors"]


@pytest.mark.slow
def test_the_stage_alone_starts_its_processes_too(finished: Path, tmp_path: Path) -> None:
    pytest.importorskip("deepspeed", reason="DeepSpeed is not installed")
    shutil.copytree(finished / "run", tmp_path / "run")
    for made in ("checkpoints", "model", "report"):
        shutil.rmtree(tmp_path / "run" / made)
    words = ["--set", f"run.dir={tmp_path}/run", "--set", "pretrain.engine=deepspeed"]
    words += ["--set", "pretrain.parallel={processes: 2, zero: 2}"]
    done = tsugiki("pretrain", "train", str(finished / "run.yaml"), *words)
    assert done.returncode == 0, done.stderr
    checkpoint = Artifact.open(tmp_path / "run" / "checkpoints" / "step-00000012")
    assert checkpoint.counts["ranks"] == 2
