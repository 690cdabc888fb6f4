from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.build import build_corpus
from corpus.documents import documents
from corpus.stage import corpus_dir
from pretrain import loop
from pretrain.batching import step_of
from pretrain.cli import verbs
from pretrain.going_back import go_back
from pretrain.indexed_tokens import IndexedTokens
from pretrain.job import Job
from pretrain.order import Order
from pretrain.pack import pack_tokens
from pretrain.stage import checkpoints_dir
from pretrain.trace import Traced, Use, lines, trace
from tests.pretrain.poison import GUARDS, trained_with_poison
from tests.tiny import JAPANESE, tiny_run
from tokenizer.extend import extend_tokenizer

# The lengths of sequences change twice, each time in the middle of an epoch.
THREE_LENGTHS = (
    "pretrain.stages={short: {tokens: 2048, mixture: {inhouse: 3, english: 1}},"
    " shorter: {tokens: 1024, mixture: {inhouse: 2, english: 1}, seq_len: 32},"
    " long: {tokens: 16384, mixture: {inhouse: 1, english: 1}}}"
)

MakeRun = Callable[..., Run]


def ids_of(run: Run, part: str = "kept") -> list[str]:
    return [one for one, _ in documents(Artifact.open(corpus_dir(run)).below(part))]


def walked(run: Run) -> dict[tuple[str, int], list[tuple[int, int, int, int, int]]]:
    """By shard and document, sample after sample: sample, step, offset, first token and tokens of each part."""
    order = Order.open(run)
    parts: dict[tuple[str, int], list[tuple[int, int, int, int, int]]] = {}
    for i in range(len(order.plan)):
        sample = order.plan.at(i)
        [shard] = order.sources[sample.source][sample.packing].shards
        first, pieces = shard.load_index()
        offset = 0
        for document, start, length in pieces[first[sample.sequence] : first[sample.sequence + 1]].tolist():
            step = step_of(order.batchings, i)[1] + 1
            parts.setdefault((shard.tokens.name, document), []).append((i, step, offset, start, length))
            offset += length
    return parts


@pytest.mark.parametrize("overrides", [(), (THREE_LENGTHS,)], ids=["one length", "three lengths"])
def test_all_that_the_order_shows_of_a_document_is_traced_and_nothing_else(
    packed: MakeRun, overrides: tuple[str, ...]
) -> None:
    run = packed(*overrides)
    pack_tokens(run)
    expected = walked(run)
    traced = trace(run, ids_of(run))
    assert set(expected) <= {(one.shard, one.document.row) for one in traced}
    for one in traced:
        assert one.shard is not None
        found = [(use.sample, use.step, use.offset, use.first_token, use.tokens) for use in one.uses]
        assert found == expected.get((one.shard, one.document.row), [])


def test_the_tokens_stand_in_the_batch_where_the_trace_says(trained: Run) -> None:
    job = Job.prepare(trained, 1)
    for one in trace(trained, ids_of(trained)[:4]):
        assert one.shard is not None
        source = one.document.source
        tokens = IndexedTokens(trained.run.dir / "tokens" / one.shard)
        for use in one.uses:
            rows = [row for batch in job.loader.micro_batches(use.step - 1, (0, 1)) for row in batch.tokens_T.split(64)]
            row = rows[use.sample - job.samples(use.step - 1)]
            expected = tokens.tokens(one.document.row, use.first_token, use.tokens)
            assert np.array_equal(row[use.offset : use.offset + use.tokens].numpy(), expected), source


def test_before_training_everything_is_to_come(packed: MakeRun) -> None:
    run = packed()
    uses = [use for one in trace(run, ids_of(run)) for use in one.uses]
    assert {use.state for use in uses} == {"to come"}
    assert all(one.checkpoints == [] for one in trace(run, ids_of(run)))


def test_after_training_everything_is_trained_and_checkpoints_are_named(trained: Run) -> None:
    seen = [one for one in trace(trained, ids_of(trained)) if one.uses]
    assert seen
    for one in seen:
        assert {use.state for use in one.uses} == {"trained"}
        first = min(use.step for use in one.uses)
        assert one.checkpoints == [f"step-{step:08d}" for step in (4, 8, 12) if step >= first]


@pytest.fixture
def halfway(trained: Run, tmp_path: Path) -> Run:
    """A run that took eight of its twelve steps and skipped the third."""
    run = tiny_run(Path(trained.pretrain.base).parent, f"run.dir={tmp_path}/run")
    shutil.copytree(trained.run.dir, run.run.dir)
    directory = checkpoints_dir(run)
    (directory / "manifest.json").unlink()
    shutil.rmtree(directory / "step-00000012")
    metrics = [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]
    kept = [line | ({"skipped": True} if line["kind"] == "step" and line["step"] == 3 else {}) for line in metrics]
    words = [json.dumps(line) for line in kept if line["step"] <= 8]
    (directory / "metrics.jsonl").write_text("\n".join(words) + "\n")
    return run


def test_halfway_steps_are_trained_skipped_or_to_come(halfway: Run) -> None:
    uses = [use for one in trace(halfway, ids_of(halfway)) for use in one.uses]
    by_step = {use.step: use.state for use in uses}
    assert by_step == {step: "skipped" if step == 3 else "trained" if step <= 8 else "to come" for step in range(1, 13)}


def test_a_skipped_step_taught_no_checkpoint_anything(halfway: Run) -> None:
    for one in trace(halfway, ids_of(halfway)):
        learned = [use.step for use in one.uses if use.state == "trained"]
        assert one.checkpoints == [f"step-{step:08d}" for step in (4, 8) if learned and step >= min(learned)]


def test_of_a_run_that_went_back_steps_are_undone_or_skipped(gone_back: Run) -> None:
    traced = trace(gone_back, ids_of(gone_back))
    by_step = {use.step: use.state for one in traced for use in one.uses}
    assert by_step == {
        step: "undone" if step == 5 else "skipped" if step in (6, 7, 8) else "trained" for step in by_step
    }
    assert set(by_step) == set(range(1, 13))
    for one in traced:
        learned = [use.step for use in one.uses if use.state == "trained"]
        assert one.checkpoints == [f"step-{step:08d}" for step in (8, 12) if learned and step >= min(learned)]
    told = [line for line in lines(traced) if "undone by a rollback" in line]
    assert len(told) == sum(any(use.state == "undone" for use in one.uses) for one in traced) > 0


def test_until_training_goes_on_a_checkpoint_may_hold_what_was_undone(
    packed: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_down_and_no_more(*arguments: Any) -> None:
        go_back(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "go_back", written_down_and_no_more)
    run = packed(GUARDS, "pretrain.checkpoint={every_steps: 2, keep_last: 9}")
    with pytest.raises(KeyboardInterrupt):
        trained_with_poison(run)
    traced = trace(run, ids_of(run))
    undone = [
        one
        for one in traced
        if {use.step for use in one.uses if use.state == "undone"} and not [use for use in one.uses if use.step < 5]
    ]
    assert undone
    assert all("step-00000006" in one.checkpoints and "step-00000004" not in one.checkpoints for one in undone)
    monkeypatch.undo()
    trained_with_poison(run)
    assert all("step-00000006" not in one.checkpoints for one in trace(run, ids_of(run)))


@pytest.mark.parametrize("keep_metrics", [True, False], ids=["by the logged digests", "by the checkpoint"])
def test_another_order_than_the_trained_one_is_refused(trained: Run, tmp_path: Path, keep_metrics: bool) -> None:
    root = Path(trained.pretrain.base).parent
    run = tiny_run(root, f"run.dir={tmp_path}/run", "run.seed=6")
    shutil.copytree(trained.run.dir, run.run.dir)
    if keep_metrics:
        for checkpoint in checkpoints_dir(run).glob("step-*"):
            shutil.rmtree(checkpoint)
    else:
        (checkpoints_dir(run) / "metrics.jsonl").unlink()
    with pytest.raises(UserError, match="was trained in another order than this run file and these tokens give"):
        trace(run, ids_of(run))


def test_a_held_out_document_is_never_trained(trained: Run) -> None:
    [one] = trace(trained, ids_of(trained, "held_out")[:1])
    assert one.uses == []
    assert list(lines([one]))[1] == "  held out: measured, never trained"


def test_a_source_that_no_stage_mixes_is_never_trained(packed: MakeRun, tmp_path: Path) -> None:
    run = packed("pretrain.stages={all: {tokens: 3072, mixture: {inhouse: 1}}}")
    shutil.rmtree(run.run.dir / "tokens")
    shutil.rmtree(run.run.dir / "packed")
    pack_tokens(run)
    english = [one for one in trace(run, ids_of(run)) if one.document.source == "english"]
    assert english
    assert all(one.uses == [] for one in english)
    assert list(lines(english))[1] == "  kept, but no stage mixes its source: never trained"


def test_of_a_duplicate_the_one_that_stayed_is_traced_too(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "corpus.held_out={share: 0}")
    (tmp_path / "ja" / "copy.txt").write_text((tmp_path / "ja" / "00.txt").read_text())
    build_corpus(run)
    extend_tokenizer(run)
    pack_tokens(run)
    [dropped] = ids_of(run, "dropped")
    copy, stayed = trace(run, [dropped])
    assert copy.uses == []
    assert copy.document.survivor == stayed.document.id
    assert stayed.uses
    assert f"like {stayed.document.id}, which is traced below" in list(lines([copy]))[1]
    assert [one.document.id for one in trace(run, [stayed.document.id])] == [stayed.document.id]


def test_an_unknown_id_is_named(packed: MakeRun) -> None:
    run = packed()
    with pytest.raises(UserError, match=r"corpus: no document has the id 'f00'; ids are 24 hex digits"):
        trace(run, [ids_of(run)[0], "f00"])


def test_the_command_prints_no_text(trained: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run_file = Path(trained.pretrain.base).parent / "run.yaml"
    one = next(found.document.id for found in trace(trained, ids_of(trained)) if found.shard == "inhouse-00000")
    words = ["trace", str(run_file), one, "--set", f"run.dir={trained.run.dir}"]
    for more in ([], ["--json"]):
        command(*words, *more)
        printed = capsys.readouterr().out
        assert one in printed
        assert not any(sentence in printed for text in JAPANESE for sentence in text.split("、"))
    [found] = json.loads(printed)
    assert found["shard"] == "inhouse-00000"
    assert {use["step"] for use in found["uses"]} == {use.step for use in traced_uses(trace(trained, [one]))}


def traced_uses(traced: list[Traced]) -> list[Use]:
    return [use for one in traced for use in one.uses]


def command(*words: str) -> None:
    parser = argparse.ArgumentParser()
    verbs(parser)
    arguments = parser.parse_args(words)
    arguments.do(arguments)
