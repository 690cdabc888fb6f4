"""Checkpoints that training wrote: the run beside them says which model they are of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from configs.artifact import Artifact
from configs.load import read_placed
from configs.resolved import write_resolved
from configs.schema.run import Run
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.convert.convert import convert
from pretrain.convert.find_model import rope_base_at, seq_len_at
from pretrain.convert.model import Model
from pretrain.convert.target import Options
from pretrain.stage import checkpoints_dir
from tests.tiny import tiny_run
from tokenizer.stage import tokenizer_dir


@pytest.fixture
def run(trained: Run, packed_root: Path) -> Run:
    """A trained run with its resolved run file, which the command line leaves there."""
    overrides = [f"run.dir={trained.run.dir}"]
    write_resolved(trained, read_placed(packed_root / "run.yaml", overrides), trained.run.dir)
    return trained


def test_weights_and_moments_come_through_a_conversion_bit_for_bit(run: Run, tmp_path: Path) -> None:
    convert(checkpoints_dir(run), "checkpoint", tmp_path / "again", Options())
    newest = Artifact.open(checkpoints_dir(run)).counts["checkpoint"]
    before, after = (
        CheckpointReader(Artifact.open(path)) for path in (checkpoints_dir(run) / newest, tmp_path / "again")
    )
    assert before.has_moments
    assert after.has_moments
    assert before.shapes == after.shapes
    for name, shape in before.shapes.items():
        for kind in ("master", "exp_avg", "exp_avg_sq"):
            box = Box.whole(shape)
            assert torch.equal(before.read(name, box, kind), after.read(name, box, kind)), (name, kind)
    state = [Artifact.open(path).manifest for path in (checkpoints_dir(run) / newest, tmp_path / "again")]
    assert state[0]["counts"]["step"] == state[1]["counts"]["step"] > 0
    assert state[0]["config"]["adam_steps"] == state[1]["config"]["adam_steps"] > 0


def test_the_folder_has_the_runs_vocabulary_and_tokenizer(run: Run, tmp_path: Path) -> None:
    report = convert(run.run.dir, "hf", tmp_path / "hf", Options(dtype="bfloat16"))
    assert report.source == "checkpoint"
    settings = json.loads((tmp_path / "hf" / "config.json").read_text())
    weights = load_file(tmp_path / "hf" / "model.safetensors")
    base = json.loads((Path(run.pretrain.base) / "config.json").read_text())
    assert settings["vocab_size"] == weights["model.embed_tokens.weight"].shape[0] > base["vocab_size"]
    assert {key: value for key, value in settings.items() if key not in ("vocab_size", "dtype")} == {
        key: value for key, value in base.items() if key not in ("vocab_size", "dtype")
    }
    for path in (tokenizer_dir(run) / "hf").iterdir():
        assert (tmp_path / "hf" / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "hf" / "generation_config.json").exists()


@pytest.mark.parametrize(
    ("step", "rope_base"),
    [
        pytest.param(4, None, id="the last step of the first stage"),
        pytest.param(5, 5e5, id="the first of the second"),
        pytest.param(8, 5e5, id="its last"),
        pytest.param(9, 5e5, id="a stage that changes nothing"),
    ],
)
def test_rope_is_as_in_the_stage_that_ended_with_the_checkpoint(
    packed_root: Path, step: int, rope_base: float | None
) -> None:
    kinds = (("one", ""), ("two", ", rope_base: 5.0e5"), ("three", ""))
    stages = [f"{name}: {{tokens: 1024, mixture: {{inhouse: 1.0}}{more}}}" for name, more in kinds]
    run = tiny_run(packed_root, f"pretrain.stages={{{', '.join(stages)}}}")
    assert rope_base_at(run.pretrain, step) == rope_base


@pytest.mark.parametrize(("step", "positions"), [(0, 256), (2, 256), (3, 512)])
def test_a_folder_says_how_long_the_sequences_were_when_the_checkpoint_was_written(
    run: Run, tmp_path: Path, step: int, positions: int
) -> None:
    settings = run.pretrain
    longer = tiny_run(
        tmp_path,
        "pretrain.batch_tokens=1024",
        "pretrain.stages.all.tokens=2048",
        "pretrain.stages.long={tokens: 1024, mixture: {inhouse: 1}, seq_len: 512, rope_base: 500000}",
    ).pretrain
    assert seq_len_at(longer, step) == {0: 0, 2: 64, 3: 512}[step]
    scaled = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e4}
    base = tmp_path / "scaled"
    base.mkdir()
    found = json.loads((Path(settings.base) / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**found, "rope_parameters": scaled}))
    model = Model.of(base, seq_len=seq_len_at(longer, step))
    written = json.loads(model.config_json())
    assert written["max_position_embeddings"] == positions
    assert written["rope_parameters"].get("original_max_position_embeddings", 256) == 256
    assert (written == json.loads((base / "config.json").read_text())) == (positions == 256)
