"""What a model in training writes, and when."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch

from configs.errors import UserError
from configs.schema.run import Run
from pretrain.engines.next_tokens import Choice, NextTokens
from pretrain.metrics_file import METRICS, SAMPLES, read_metrics
from pretrain.micro_batch import NO_LABEL, MicroBatch
from pretrain.samples import continued
from pretrain.stage import checkpoints_dir
from pretrain.train import train

MakeRun = Callable[..., Run]


class CountingOn:
    """An engine whose likeliest next token is the one after the last, modulo ten; it keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[MicroBatch] = []

    def next_tokens(self, micro_batch: MicroBatch, choice: Choice) -> NextTokens:
        self.asked.append(micro_batch)
        last_N = micro_batch.tokens_T[micro_batch.labels_T != NO_LABEL]
        ids_NK = (last_N[:, None] + 1 + torch.arange(choice.top)) % choice.known
        return NextTokens(ids_NK, torch.full(ids_NK.shape, 0.5))


def write_on(prompts: Sequence[Sequence[int]], tokens: int, end: int | None = None) -> tuple[list[list[int]], int]:
    """Continuations, and the passes they took."""
    engine = CountingOn()
    written, _ = continued(engine, prompts, tokens, Choice(10, 2), end)  # type: ignore[arg-type]  # of all it is asked
    return written, len(engine.asked)


def steps_of(run: Run) -> list[tuple[int, str]]:
    return [(line["step"], line["model"]) for line in read_metrics(checkpoints_dir(run), SAMPLES)]


def test_each_prompt_is_a_document_of_its_own_and_asked_after_its_last_token() -> None:
    engine = CountingOn()
    continued(engine, [[4], [1, 2, 3]], 2, Choice(10, 1))  # type: ignore[arg-type]  # of all it is asked
    second = engine.asked[1]
    assert second.tokens_T.tolist() == [4, 5, 1, 2, 3, 4]
    assert second.positions_T.tolist() == [0, 1, 0, 1, 2, 3]
    assert second.cu_seqlens.tolist() == [0, 2, 6]
    assert (second.labels_T != NO_LABEL).nonzero()[:, 0].tolist() == [1, 5]


def test_a_continuation_ends_with_the_end_token_and_the_passes_with_the_last_of_them() -> None:
    assert write_on([[4], [1, 2, 3]], 5) == ([[5, 6, 7, 8, 9], [4, 5, 6, 7, 8]], 5)
    assert write_on([[4], [1, 2, 3]], 5, end=7) == ([[5, 6, 7], [4, 5, 6, 7]], 4)
    assert write_on([[4], [7, 3]], 5, end=4) == ([[5, 6, 7, 8, 9], [4]], 5)


def test_samples_are_written_with_every_measurement_and_every_nth(packed: MakeRun, trained: Run) -> None:
    assert steps_of(trained) == [(0, "base"), (0, "trained"), (6, "trained"), (12, "trained")]
    run = packed(
        "pretrain.evaluate.every_steps=2", "pretrain.evaluate.samples.every=2", "pretrain.stages.all.tokens=2560"
    )
    train(run)
    assert steps_of(run) == [(0, "base"), *((step, "trained") for step in (0, 4, 8, 10))]


def test_a_sample_has_the_text_and_the_likeliest_tokens(trained: Run) -> None:
    for line in read_metrics(checkpoints_dir(trained), SAMPLES):
        assert [one["prompt"] for one in line["samples"]] == ["ポンプの", "The pump"]
        for one in line["samples"]:
            assert 1 <= len(one["ids"]) <= 4
            assert len(one["next"]) == 5
            assert one["next"][0]["id"] == one["ids"][0]
            assert one["text"].startswith(one["next"][0]["token"].rstrip("�"))
            assert 0 < sum(token["probability"] for token in one["next"]) < 1


@pytest.mark.parametrize("setting", ["prompts=[]", "tokens=1", "every=7"])
def test_whatever_is_sampled_training_is_the_same_bytes(packed: MakeRun, trained: Run, setting: str) -> None:
    run = packed(f"pretrain.evaluate.samples.{setting}", "pretrain.checkpoint.keep_last=9")
    train(run)
    here, there = checkpoints_dir(run), checkpoints_dir(trained)
    names = [METRICS, *json.loads((there / "manifest.json").read_text())["files"], "manifest.json"]
    assert {name: (here / name).read_bytes() for name in names} == {name: (there / name).read_bytes() for name in names}
    assert (here / SAMPLES).read_bytes() != (there / SAMPLES).read_bytes()


def test_prompts_that_do_not_fit_into_one_pass_are_written_on_in_several(packed: MakeRun, trained: Run) -> None:
    prompts = ["ポンプの", "The pump"]
    run = packed(f"pretrain.evaluate.samples.prompts={json.dumps(prompts * 5)}", "pretrain.stages.all.tokens=768")
    train(run)
    few, many = (read_metrics(checkpoints_dir(one), SAMPLES)[0]["samples"] for one in (trained, run))
    assert [one["ids"] for one in many] == [one["ids"] for one in few] * 5


def test_a_prompt_that_is_longer_than_a_sequence_is_refused_by_its_number(packed: MakeRun) -> None:
    run = packed(f"pretrain.evaluate.samples.prompts=['The', '{'数' * 21}']")  # 63 bytes, 4 more tokens, 64 allowed
    with pytest.raises(
        UserError, match=r"samples\.prompts\.1: its 63 tokens and 4 more do not fit into a sequence \(64"
    ):
        train(run)


def test_a_run_that_is_gone_on_with_has_the_samples_of_an_undisturbed_one(packed: MakeRun, trained: Run) -> None:
    run = packed("pretrain.checkpoint.keep_last=9")
    train(run)
    root = checkpoints_dir(run)
    (root / "manifest.json").unlink()
    for file in (root / "step-00000012").iterdir():
        file.unlink()
    (root / "step-00000012").rmdir()
    with open(root / SAMPLES, "a", encoding="utf-8") as half:
        half.write('{"kind": "samples", "st')
    train(run)
    assert (root / SAMPLES).read_bytes() == (checkpoints_dir(trained) / SAMPLES).read_bytes()


def test_tensorboard_has_the_texts(packed: MakeRun, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = packed("pretrain.stages.all.tokens=768")
    train(run)
    board = EventAccumulator(str(run.run.dir / "tensorboard"))
    board.Reload()
    texts = [event.tensor_proto.string_val[0].decode() for event in board.Tensors("samples/trained/text_summary")]
    assert len(texts) == 2
    assert all("    ポンプの ▸ " in text and "\n    The pump ▸ " in text for text in texts)
