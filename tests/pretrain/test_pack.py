from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from pretrain.job import Job
from pretrain.pack import pack_tokens
from pretrain.packed_source import PackedSequences, open_packings
from pretrain.stage import pack_plan, tokens_dir

MakeRun = Callable[..., Run]

# Sequences of 64, then 32, then 64 again; each of the first two ends in the middle of an epoch.
THREE_LENGTHS = (
    "pretrain.stages={short: {tokens: 2048, mixture: {inhouse: 3, english: 1}},"
    " shorter: {tokens: 1024, mixture: {inhouse: 2, english: 1}, seq_len: 32},"
    " long: {tokens: 16384, mixture: {inhouse: 1, english: 1}}}"
)


def packings_of(run: Run, source: str) -> dict[str, PackedSequences]:
    return open_packings(Artifact.open(tokens_dir(run)), Artifact.open(pack_plan(run).dir), source)


def shown(run: Run, source: str) -> dict[int, Counter[tuple[int, int]]]:
    """By epoch, how often each position (document, token) of a source of one shard is predicted."""
    packings = packings_of(run, source)
    indices = {name: packing.shards[0].load_index() for name, packing in packings.items()}
    counts: dict[int, Counter[tuple[int, int]]] = {}
    plan = Job.prepare(run, 1).plan
    for i in range(len(plan)):
        sample = plan.at(i)
        if sample.source == source:
            first, pieces = indices[sample.packing]
            for document, start, length in pieces[first[sample.sequence] : first[sample.sequence + 1]]:
                positions = ((int(document), int(start) + k) for k in range(length))
                counts.setdefault(sample.epoch, Counter()).update(positions)
    return counts


@pytest.mark.parametrize("source", ["inhouse", "english"])
def test_no_token_is_shown_again_before_all_were_shown_whatever_lengths_stages_have(
    packed: MakeRun, source: str
) -> None:
    run = packed(THREE_LENGTHS)
    pack_tokens(run)
    [shard] = packings_of(run, source)["64"].shards
    lengths = shard.tokens.lengths()
    every = {(document, at) for document, length in enumerate(lengths) for at in range(length - 1)}
    counts = shown(run, source)
    assert list(counts) == list(range(len(counts)))
    assert len(counts) >= 3
    for epoch, found in counts.items():
        assert set(found.values()) == {1}
        assert set(found) == every if epoch < len(counts) - 1 else set(found) <= every


def test_each_change_of_length_packs_what_is_left(packed: MakeRun) -> None:
    run = packed(THREE_LENGTHS)
    pack_tokens(run)
    assert set(packings_of(run, "inhouse")) == {"64", "32", "32-rest-1", "64-rest-2"}


def test_another_length_is_packed_without_tokenising_again(packed: MakeRun) -> None:
    run = packed()
    before = {path: path.stat().st_mtime_ns for path in tokens_dir(run).iterdir()}
    other = packed("pretrain.seq_len=32")
    pack_tokens(other)
    assert {path: path.stat().st_mtime_ns for path in tokens_dir(run).iterdir()} == before
    assert pack_plan(other).dir != pack_plan(run).dir
    counts = Artifact.open(pack_plan(other).dir).counts["sources"]["inhouse"]
    assert counts["sequences"] > Artifact.open(pack_plan(run).dir).counts["sources"]["inhouse"]["sequences"]
    assert counts["positions"] == Artifact.open(pack_plan(run).dir).counts["sources"]["inhouse"]["positions"]


def test_begun_again_after_a_kill_the_index_is_the_same_bytes(packed: MakeRun) -> None:
    run = packed(THREE_LENGTHS)
    directory = pack_tokens(run).dir
    whole = contents(directory)
    (directory / "manifest.json").unlink()
    for path in directory.glob("*-rest-*"):
        path.unlink()
    pack_tokens(run)
    assert contents(directory) == whole


def contents(directory: Path) -> dict[str, bytes]:
    names = [*Artifact.open(directory).files, "manifest.json"]
    return {name: (directory / name).read_bytes() for name in names}


def test_what_stands_before_a_change_of_length_names_the_directory(packed: MakeRun) -> None:
    one, other = packed(THREE_LENGTHS), packed(THREE_LENGTHS.replace("2048", "1792"))
    assert pack_plan(one).dir != pack_plan(other).dir
    longer_at_the_end = packed(THREE_LENGTHS.replace("16384", "32768"))
    assert pack_plan(longer_at_the_end).dir == pack_plan(one).dir


def test_a_stage_of_another_length_appended_later_keeps_the_past(packed: MakeRun) -> None:
    short = "pretrain.stages={short: {tokens: 2048, mixture: {inhouse: 3, english: 1}}}"
    digests = []
    for stages in (short, THREE_LENGTHS):
        run = packed(stages)
        pack_tokens(run)
        digests.append(Job.prepare(run, 1).plan.digest(0, 32))
    assert digests[0] == digests[1]


def test_counts_tell_the_padding(packed: MakeRun) -> None:
    counts = Artifact.open(pack_plan(packed()).dir).counts["sources"]["inhouse"]
    assert counts["padding"] == pytest.approx(1 - counts["positions"] / counts["sequences"] / 64)
    assert counts["tokens"] == counts["positions"] + counts["documents"]


def test_a_source_too_small_to_notice_is_refused(packed: MakeRun) -> None:
    run = packed(THREE_LENGTHS.replace("english: 1}}, shorter", "english: 0.0001}}, shorter"))
    with pytest.raises(UserError, match=r"pretrain\.stages: the weight of source 'english' is below"):
        pack_tokens(run)


def test_a_tokens_directory_of_another_tokenizer_is_refused(packed: MakeRun) -> None:
    run = packed()
    manifest = run.run.dir / "tokenizer" / "manifest.json"
    manifest.write_text(re.sub(r'"version": \d+', '"version": 0', manifest.read_text(), count=1))
    with pytest.raises(UserError, match=r"tokens: was made of another tokenizer than .*tokenizer holds now; remove"):
        Job.prepare(run, 1)


def test_tokens_are_the_documents_of_the_corpus_in_their_order(packed: MakeRun) -> None:
    run = packed()
    [shard] = packings_of(run, "inhouse")["64"].shards
    tokens = shard.tokens.open()
    ends = [int(tokens.tokens(document, int(length) - 1, 1)[0]) for document, length in enumerate(tokens.lengths())]
    assert set(ends) == {Artifact.open(tokens_dir(run)).counts["end"]}
    assert np.sum(tokens.lengths()) == Artifact.open(tokens_dir(run)).counts["sources"]["inhouse"]["tokens"]
