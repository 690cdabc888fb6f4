"""New rows, embeddings, everything, annealing, long context, stage after stage in one run: the same on every engine.

Each stage has its own mixture; the last its own length of sequences and base of the rotary embedding.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import step_dir
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.base import Kind
from pretrain.job import Job
from pretrain.metrics_file import read_metrics
from pretrain.micro_batch import MicroBatch
from pretrain.pack import pack_tokens
from pretrain.stage import checkpoints_dir
from pretrain.train import train
from tests.pretrain.in_turn import digests, fed_to, train_in_turn
from tests.tiny import tiny_run

STAGES = (
    "rows: {tokens: 768, mixture: {inhouse: 1}, train: new_rows}",
    "embeddings: {tokens: 512, mixture: {inhouse: 1}, train: embeddings}",
    "all: {tokens: 1024, mixture: {inhouse: 0.5, english: 0.5}}",
    "anneal: {tokens: 768, mixture: {english: 1}, rate: {schedule: linear, peak: 0.5, min_lr: 0}}",
    "long: {tokens: 768, mixture: {inhouse: 1}, seq_len: 128, rope_base: 100, rate: {schedule: constant, peak: 0.2}}",
)
ROWS, EMBEDDINGS, ALL, ANNEAL, LONG = 3, 5, 9, 12, 15
"""The last step of each stage."""

LAYOUTS = {
    "zero 1": ("deepspeed", "{processes: 2, zero: 1}"),
    "zero 2": ("deepspeed", "{processes: 2, zero: 2}"),
    "zero 3": ("deepspeed", "{processes: 2, zero: 3}"),
    "tensor 2": ("megatron", "{processes: 2, tensor: 2}"),
    "pipeline 2": ("megatron", "{processes: 2, pipeline: 2}"),
    "data 2": ("megatron", "{processes: 2}"),
}
EMBEDDING = "model.embed_tokens.weight"
MOMENTS: tuple[Kind, ...] = ("exp_avg", "exp_avg_sq")

pytestmark = pytest.mark.slow
every_layout = pytest.mark.parametrize("layout", ["single", *LAYOUTS])


def write_attentive_base(base: Path, folder: Path) -> None:
    """The tiny base with larger attention weights: drawn from small numbers, it hardly sees where a token stands."""
    shutil.copytree(base, folder)
    weights = load_file(folder / "model.safetensors")
    for name in weights:
        if "self_attn" in name:
            weights[name] *= 8
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


class Runs:
    """The run on every layout; all layouts of an engine are trained by the same processes."""

    def __init__(self, packed_root: Path, place: Path) -> None:
        self._root, self._place = packed_root, place
        self._trained: set[str] = set()
        write_attentive_base(packed_root / "base", self.base)
        single = self.run("single")
        shutil.copytree(packed_root / "run", single.run.dir)
        pack_tokens(single)
        for layout in LAYOUTS:
            shutil.copytree(single.run.dir, self.run(layout).run.dir)
        train(single)

    @property
    def base(self) -> Path:
        """The folder that they begin with."""
        return self._place / "base"

    def run(self, layout: str) -> Run:
        """On a layout."""
        return tiny_run(self._root, *self._words(layout))

    def _words(self, layout: str) -> list[str]:
        engine, parallel = LAYOUTS.get(layout, ("single", "{}"))
        return [
            f"run.dir={self._place}/{layout.replace(' ', '-')}",
            f"pretrain.base={self.base}",
            f"tokenizer.base={self._root}/base",
            f"pretrain.stages={{{', '.join(STAGES)}}}",
            f"pretrain.engine={engine}",
            f"pretrain.parallel={parallel}",
            "pretrain.checkpoint={every_steps: 1, keep_last: 99}",
        ]

    def checkpoints(self, layout: str) -> Path:
        """Of the run on a layout, trained when it is first asked for."""
        engine, _ = LAYOUTS.get(layout, ("single", ""))
        if engine != "single" and engine not in self._trained:
            pytest.importorskip(engine, reason=f"{engine} is not installed")
            self._trained.add(engine)
            train_in_turn(self._root, [self._words(name) for name, (its, _) in LAYOUTS.items() if its == engine])
        return checkpoints_dir(self.run(layout))

    def losses(self, layout: str) -> list[float]:
        """Of every step, in nats."""
        return losses_in(self.checkpoints(layout))

    def losses_with(self, stages: Sequence[str]) -> list[float]:
        """The same on `single`, of other stages over the same tokens."""
        other = f"run.dir={self._place}/other"
        run = tiny_run(self._root, *self._words("single"), other, f"pretrain.stages={{{', '.join(stages)}}}")
        for made in ("corpus", "tokenizer", "tokens", "packed"):
            shutil.copytree(self.run("single").run.dir / made, run.run.dir / made)
        train(run)
        return losses_in(checkpoints_dir(run))

    def state(self, layout: str, step: int) -> CheckpointReader:
        """After a step."""
        return CheckpointReader(Artifact.open(step_dir(self.checkpoints(layout), step)))


def losses_in(checkpoints: Path) -> list[float]:
    return [line["loss_nats"] for line in read_metrics(checkpoints) if line["kind"] == "step"]


@pytest.fixture(scope="module")
def runs(packed_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """The run on every layout."""
    return Runs(packed_root, tmp_path_factory.mktemp("stages"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_losses_and_order_of_all_stages_are_those_of_single(runs: Runs, layout: str) -> None:
    assert runs.losses(layout) == pytest.approx(runs.losses("single"), rel=1e-4)
    kinds = ("step", "order")
    for names in (("step", "labelled", "lr", "lr_embeddings", "lr_new_rows", "skipped"), ("samples", "sha256")):
        seen, right = (
            [
                [line.get(name) for name in names]
                for line in read_metrics(runs.checkpoints(one))
                if line["kind"] in kinds
            ]
            for one in (layout, "single")
        )
        assert seen == right
    job = Job.prepare(runs.run(layout), 2)
    fed = [[one for batch in batches(job, step) for one in digests(batch, 64)] for step in range(LONG)]
    assert fed_to(runs.run(layout)) == fed


@every_layout
def test_a_stage_of_new_rows_touches_neither_other_numbers_nor_their_moments(runs: Runs, layout: str) -> None:
    base, after = HfFolderReader(runs.base), runs.state(layout, ROWS)
    for name, shape in after.shapes.items():
        old = Box.whole(base.shape(name))
        assert torch.equal(after.read(name, old, "master"), base.read(name, old)), name
        if name == EMBEDDING:
            for kind in MOMENTS:
                moments = after.read(name, Box.whole(shape), kind)
                assert not moments[: old.sizes[0]].any()
                assert moments[old.sizes[0] :].all(dim=1).any()
        else:
            assert not holds_moments(after, name)


@every_layout
def test_a_stage_of_embeddings_touches_no_other_tensor(runs: Runs, layout: str) -> None:
    base, after = HfFolderReader(runs.base), runs.state(layout, EMBEDDINGS)
    for name in after.shapes:
        old = Box.whole(base.shape(name))
        same = torch.equal(after.read(name, old, "master"), base.read(name, old))
        assert same == (name != EMBEDDING), name
        assert holds_moments(after, name) == (name == EMBEDDING)
    assert after.read(EMBEDDING, Box.whole(after.shapes[EMBEDDING]), "exp_avg").any(dim=1).all()


def holds_moments(reader: CheckpointReader, name: str) -> bool:
    try:
        reader.read(name, Box.whole(reader.shapes[name]), "exp_avg")
    except UserError:
        return False
    return True


@every_layout
def test_moments_start_afresh_with_what_becomes_trainable_and_go_on_otherwise(runs: Runs, layout: str) -> None:
    root = runs.checkpoints(layout)
    taken = [Artifact.open(step_dir(root, step)).manifest["config"]["adam_steps"] for step in range(1, LONG + 1)]
    assert taken == [1, 2, 3, 1, 2, *range(1, LONG - EMBEDDINGS + 1)]
    for step in (1, ROWS + 1, EMBEDDINGS + 1):
        assert are_of_one_step(runs.state(layout, step))
    for step in (2, ALL + 1, ANNEAL + 1):
        assert not are_of_one_step(runs.state(layout, step))


def are_of_one_step(state: CheckpointReader) -> bool:
    """Whether Adam's moments are what its first step makes them: (1 - β₁) g and (1 - β₂) g²."""
    whole = Box.whole(state.shapes[EMBEDDING])
    first, second = (state.read(EMBEDDING, whole, kind) for kind in MOMENTS)
    assert second.any()
    return torch.allclose(first.square() / 0.1**2, second / 0.05, rtol=1e-3, atol=1e-12)


def test_each_stage_has_its_own_mixture_length_and_rope_base(runs: Runs) -> None:
    job = Job.prepare(runs.run("single"), 1)
    sources = [{number for batch in batches(job, step) for number in batch.source_T.tolist()} for step in range(LONG)]
    inhouse, english = {0}, {1}
    assert sources == [inhouse] * 5 + [inhouse | english] * 4 + [english] * 3 + [inhouse] * 3
    lengths = [[len(batch.tokens_T) for batch in batches(job, step)] for step in range(LONG)]
    assert lengths == [[64] * 4] * ANNEAL + [[128] * 2] * 3
    right = runs.losses("single")
    unturned = runs.losses_with([*STAGES[:-1], STAGES[-1].replace("rope_base: 100, ", "")])
    assert unturned[:ANNEAL] == right[:ANNEAL]
    differences = [abs(one - other) for one, other in zip(unturned[ANNEAL:], right[ANNEAL:], strict=True)]
    assert min(differences) > 2e-3  # which the comparison of the engines would see


def batches(job: Job, step: int) -> list[MicroBatch]:
    return job.loader.micro_batches(step, (0, 1))
