from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.single import SingleEngine
from pretrain.metrics_file import SPEED, read_metrics
from pretrain.stage import checkpoints_dir, train_plan
from pretrain.train import train
from tests.tiny import tiny_run

MakeRun = Callable[..., Run]


def files_of(directory: Path) -> dict[str, bytes]:
    """Everything that a finished training run leaves and that must be the same every time."""
    manifest = json.loads((directory / "manifest.json").read_text())
    return {name: (directory / name).read_bytes() for name in [*manifest["files"], "manifest.json"]}


def test_the_loss_falls_and_every_step_is_recorded(trained: Run) -> None:
    metrics = read_metrics(checkpoints_dir(trained))
    steps = [line for line in metrics if line["kind"] == "step"]
    assert [line["step"] for line in steps] == list(range(1, 13))
    assert steps[-1]["tokens"] == 3072
    assert steps[-1]["loss_nats"] < steps[0]["loss_nats"] - 0.3


def test_held_out_text_is_measured_before_during_and_after(trained: Run) -> None:
    evaluations = [line for line in read_metrics(checkpoints_dir(trained)) if line["kind"] == "evaluation"]
    assert [(line["step"], line["model"]) for line in evaluations] == [
        (0, "base"),
        (0, "trained"),
        (6, "trained"),
        (12, "trained"),
    ]
    counts = Artifact.open(checkpoints_dir(trained)).counts
    assert counts["bits_per_character"]["ja"]["trained"] < counts["bits_per_character"]["ja"]["initial"]
    assert set(counts["bits_per_character"]) == {"ja", "en"}


def test_tensorboard_has_a_curve_of_all_that_is_measured(trained: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(trained.run.dir / "tensorboard"))
    board.Reload()
    metrics = read_metrics(checkpoints_dir(trained))
    for name in ("loss_nats", "grad_norm", "lr", "lr_embeddings", "lr_new_rows"):
        lines = [(line["step"], line[name]) for line in metrics if line["kind"] == "step"]
        assert [event.step for event in board.Scalars(f"train/{name}")] == [step for step, _ in lines]
        assert [event.value for event in board.Scalars(f"train/{name}")] == pytest.approx([one for _, one in lines])
    # Utilisation is of known GPUs only: see test_speed.py.
    for line in read_metrics(checkpoints_dir(trained), SPEED):
        for name in ("tokens_per_s", "memory_gib", "data_wait", "step_s", "rank_spread"):
            values = {event.step: event.value for event in board.Scalars(f"train/{name}")}
            assert values[line["step"]] == pytest.approx(line[name]), name
    for line in metrics:
        for source in ("inhouse", "english") if line["kind"] == "evaluation" else ():
            for measure in ("bits_per_character", "bits_per_byte"):
                events = board.Scalars(f"eval/{line['model']}/{measure}/{source}")
                values = {event.step: event.value for event in events}
                assert values[line["step"]] == pytest.approx(line["sources"][source][measure])


def test_the_order_is_certified(trained: Run) -> None:
    order = [line for line in read_metrics(checkpoints_dir(trained)) if line["kind"] == "order"]
    assert [line["samples"] for line in order] == [[0, 48]]
    assert Artifact.open(checkpoints_dir(trained)).counts["order"] == [order[0]["sha256"]]


def test_two_runs_from_scratch_are_the_same_bytes(trained: Run, packed: MakeRun) -> None:
    again = packed()
    train(again)
    assert files_of(checkpoints_dir(again)) == files_of(checkpoints_dir(trained))


def test_run_again_it_returns_at_once(trained: Run) -> None:
    manifest = checkpoints_dir(trained) / "manifest.json"
    before = manifest.stat().st_mtime_ns
    train(trained)
    assert manifest.stat().st_mtime_ns == before


# A process that trains and kills itself, as SIGKILL does it, when a function is called for the n-th time.
_KILLED = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from tests.tiny import tiny_run
from pretrain.train import train

root, run_dir, where, name, times, *words = sys.argv[1:]
module = import_module(where)
function, calls = getattr(module, name), 0

def killing(*arguments, **named):
    global calls
    calls += 1
    if calls == int(times):
        os.kill(os.getpid(), signal.SIGKILL)
    return function(*arguments, **named)

setattr(module, name, killing)
train(tiny_run(Path(root), run_dir, *words))
"""


MOMENTS = {
    "before the first checkpoint": ("pretrain.step", "lr_by_group", 3, "metrics.jsonl"),
    "between a part and its index": ("pretrain.checkpoint.part_file", "write_json", 1, "step-*4.partial-*"),
    "between parts and manifest": ("pretrain.checkpoint.saver", "commit", 2, "step-*8.partial-*"),
    "before an old one goes": ("pretrain.checkpoint.retention", "remove", 1, "step-00000012/manifest.json"),
    "after the second checkpoint": ("pretrain.step", "lr_by_group", 11, "step-00000008/manifest.json"),
    "after the last step": ("pretrain.train", "_finish", 1, "step-00000012/manifest.json"),
}
"""By name: the call of a function before which it is killed, and what is left then; one is in the default suite."""


@pytest.mark.parametrize(
    ("where", "name", "times", "left"),
    [
        pytest.param(*one, id=moment, marks=() if moment == "between parts and manifest" else pytest.mark.slow)
        for moment, one in MOMENTS.items()
    ],
)
def test_killed_and_started_again_it_ends_with_the_same_bytes(
    trained: Run, packed: MakeRun, packed_root: Path, where: str, name: str, times: int, left: str
) -> None:
    run = packed()
    root = checkpoints_dir(run)
    command = [sys.executable, "-c", _KILLED, str(packed_root), f"run.dir={run.run.dir}", where, name, str(times)]
    if where == "pretrain.step":
        # Killed between two saves, not while one goes on: what the others are for.
        command.append("pretrain.checkpoint.asynchronous=false")
    paths = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert list(root.glob(left))
    assert not (root / "manifest.json").exists()
    train(run)
    assert files_of(root) == files_of(checkpoints_dir(trained))
    assert not list(root.glob("*.partial-*"))


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    trained: Run, packed: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = packed("pretrain.checkpoint.keep_last=9")
    train(run)
    root = checkpoints_dir(run)
    (root / "manifest.json").unlink()
    part = root / "step-00000012" / "part-00000-000.safetensors"
    content = bytearray(part.read_bytes())
    content[-100] ^= 1
    part.write_bytes(content)
    train(run)
    assert "step-00000012/part-00000-000.safetensors: its bytes changed" in caplog.text
    assert files_of(root) == files_of(checkpoints_dir(trained))


def test_a_longer_run_begins_like_the_shorter_one(trained: Run, packed: MakeRun) -> None:
    longer = packed("pretrain.stages.all.tokens=4096", "pretrain.optim.schedule=constant")
    train(longer)
    orders = [
        [(line["samples"], line["sha256"]) for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "order"]
        for run in (trained, longer)
    ]
    assert orders[1][0][0] == [0, 64]
    first = [line["labelled"] for line in read_metrics(checkpoints_dir(trained)) if line["kind"] == "step"]
    second = [line["labelled"] for line in read_metrics(checkpoints_dir(longer)) if line["kind"] == "step"]
    assert second[:12] == first


def test_a_stage_of_new_rows_leaves_every_old_number_as_it_was(packed: MakeRun, packed_root: Path) -> None:
    run = packed(
        "pretrain.stages={rows: {tokens: 1024, mixture: {inhouse: 1}, train: new_rows}}", "pretrain.optim.lr=1e-2"
    )
    train(run)
    counts = Artifact.open(checkpoints_dir(run)).counts
    reader = CheckpointReader(Artifact.open(checkpoints_dir(run) / counts["checkpoint"]))
    base = HfFolderReader(packed_root / "base")
    for name in base.names:
        whole = Box.whole(base.shape(name))
        assert torch.equal(reader.read(name, whole, "master"), base.read(name, whole)), name
    rows = reader.shapes["model.embed_tokens.weight"][0] - base.shape("model.embed_tokens.weight")[0]
    assert rows == 20


def test_stages_follow_each_other_and_resume_between(packed: MakeRun) -> None:
    stages = (
        "pretrain.stages={rows: {tokens: 512, mixture: {inhouse: 1}, train: new_rows},"
        " all: {tokens: 1024, mixture: {inhouse: 1, english: 1}}}"
    )
    run = packed(stages, "pretrain.checkpoint.keep_last=9")
    train(run)
    root = checkpoints_dir(run)
    undisturbed = files_of(root)
    (root / "manifest.json").unlink()
    for name in ("step-00000006", "step-00000004"):
        assert (root / name).exists()
        for file in (root / name).iterdir():
            file.unlink()
        (root / name).rmdir()
    train(run)  # goes on from step 2, the boundary
    assert files_of(root) == undisturbed


def test_too_many_skipped_steps_stop_the_run(packed: MakeRun) -> None:
    run = packed("pretrain.guards={max_grad_norm: 1e-6, max_skipped: 2}")
    with pytest.raises(UserError, match=r"pretrain\.guards: 3 steps were skipped, max_skipped is 2"):
        train(run)
    skipped = [line["skipped"] for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "step"]
    assert skipped == [True, True, True]


def test_a_run_that_needs_too_much_memory_says_what_to_change(packed: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        torch.empty(2**58)

    run = packed()
    monkeypatch.setattr(SingleEngine, "train_step", full)
    with pytest.raises(UserError, match=r"rank 0: out of host memory .*; to need less, change pretrain\.recompute"):
        train(run)


def test_a_skipped_step_changes_no_weight(packed: MakeRun, packed_root: Path) -> None:
    run = packed("pretrain.guards={max_grad_norm: 1e-6, max_skipped: 99}")
    train(run)
    counts = Artifact.open(checkpoints_dir(run)).counts
    reader = CheckpointReader(Artifact.open(checkpoints_dir(run) / counts["checkpoint"]))
    base = HfFolderReader(packed_root / "base")
    whole = Box.whole(base.shape("model.norm.weight"))
    assert torch.equal(reader.read("model.norm.weight", whole, "master"), base.read("model.norm.weight", whole))
    assert counts["skipped_steps"] == 12


def test_an_unfinished_stage_before_is_named(packed: MakeRun) -> None:
    run = packed()
    (train_plan(run).upstream["tokens"] / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"run/tokens: is not finished; run the stage that makes it first"):
        train(run)


def test_a_changed_run_file_is_refused_with_what_changed(trained: Run, packed_root: Path) -> None:
    other = tiny_run(
        packed_root, f"run.dir={trained.run.dir}", "pretrain.optim.lr=5e-4", "pretrain.checkpoint.every_steps=3"
    )
    with pytest.raises(UserError) as raised:
        train(other)
    assert str(raised.value).startswith(
        f"{checkpoints_dir(trained)}: was made differently: optim.lr: 0.005 -> 0.0005. "
    )


def test_token_shards_that_were_cut_off_are_named(packed: MakeRun) -> None:
    run = packed()
    shard = next((run.run.dir / "tokens").glob("*.bin"))
    shard.write_bytes(shard.read_bytes()[:-2])
    with pytest.raises(UserError, match=r"\.bin: \d+ bytes, the manifest says \d+"):
        train(run)


def test_an_architecture_that_is_not_supported_is_refused_by_name(packed: MakeRun, tmp_path: Path) -> None:
    run = packed()
    base = tmp_path / "base"
    shutil.copytree(run.pretrain.base, base)
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    with pytest.raises(UserError, match=r"architecture 'gpt2' is not supported; supported: llama"):
        train(packed(f"pretrain.base={base}", f"tokenizer.base={run.pretrain.base}"))


def test_adding_up_labels_of_all_steps_gives_the_tokens_trained(trained: Run) -> None:
    steps = [line for line in read_metrics(checkpoints_dir(trained)) if line["kind"] == "step"]
    assert (
        np.sum([line["labelled"] for line in steps]) == Artifact.open(checkpoints_dir(trained)).counts["tokens_trained"]
    )


def test_every_so_many_steps_and_at_the_end_the_speed_is_measured_and_told(
    packed: MakeRun, caplog: pytest.LogCaptureFixture
) -> None:
    run = packed("pretrain.log.every_steps=5")
    with caplog.at_level("INFO", "tsugiki.progress"):
        train(run)
    speeds = read_metrics(checkpoints_dir(run), SPEED)
    assert [(line["step"], line["steps"], line["tokens"]) for line in speeds] == [
        (5, 5, 1280),
        (10, 5, 1280),
        (12, 2, 512),
    ]
    assert all(0 < line["data_wait"] < 1 and line["tokens_per_s"] > 0 and line["memory_gib"] > 0 for line in speeds)
    told = [record.getMessage() for record in caplog.records if "data wait" in record.getMessage()]
    assert [line.split("  ")[-4] for line in told] == ["step 5/12", "step 10/12", "step 12/12"]
    assert "ends in" in told[0]
    steps = [line for line in read_metrics(checkpoints_dir(run)) if line["kind"] == "step"]
    assert all(line["lr_new_rows"] == 3 * line["lr"] == 3 * line["lr_embeddings"] for line in steps)
