from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.artifact import Artifact, Claim
from configs.errors import ConfigError, UserError
from configs.schema.run import Run
from pretrain.brought_tokens import ReadArgument, cut, read_shard
from pretrain.export import export_model
from pretrain.indexed_tokens import IndexedTokens, write_documents
from pretrain.job import Job
from pretrain.pack import pack_tokens
from pretrain.stage import pack_plan, tokens_dir
from pretrain.train import train

MakeRun = Callable[..., Run]
END = 9
DOCUMENTS = [[5, 6, 7], [1], [2, 3, 4, 5], [8, 8]]


def write(folder: Path, documents: list[list[int]], dtype: Any = np.uint16, name: str = "mine") -> Path:
    """A pair of files; gives the path without the ending."""
    flat = np.array([token for document in documents for token in document])
    lengths = np.array([len(document) for document in documents])
    write_documents(Claim(folder, "task", "digest"), name, [(flat, lengths)], np.dtype(dtype))
    return folder / name


def read(prefix: Path, vocabulary: int = 10, end: int = END) -> dict[str, Any]:
    claim = Claim(prefix.parent, "task", "digest")
    return read_shard(claim, ReadArgument(prefix, 0, len(IndexedTokens(prefix)), vocabulary, end))


def with_ends(documents: list[list[int]]) -> list[list[int]]:
    return [[*document, END] for document in documents]


@given(st.lists(st.tuples(st.lists(st.integers(0, 8), min_size=1, max_size=6), st.booleans()), min_size=1, max_size=9))
def test_a_document_ends_with_the_end_token_whether_the_file_has_it_or_not(
    tmp_path_factory: pytest.TempPathFactory, documents: list[tuple[list[int], bool]]
) -> None:
    brought = [[*document, END] if has_end else document for document, has_end in documents]
    opened = IndexedTokens(write(tmp_path_factory.mktemp("brought"), brought), END)
    expected = with_ends([document for document, _ in documents])
    assert opened.lengths().tolist() == [len(document) for document in expected]
    for number, document in enumerate(expected):
        for start in range(len(document)):
            assert opened.tokens(number, start, len(document) - start).tolist() == document[start:]
            assert opened.tokens(number, start, 1).tolist() == document[start : start + 1]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64, np.uint16])
def test_every_integer_type_of_megatron_is_read(tmp_path: Path, dtype: Any) -> None:
    made = read(write(tmp_path, DOCUMENTS, dtype))
    assert (made["documents"], made["tokens"], made["ends_added"], made["ends_within"]) == (4, 14, 4, 0)


def test_floating_point_files_are_refused(tmp_path: Path) -> None:
    index = write(tmp_path, DOCUMENTS).with_suffix(".idx")
    content = bytearray(index.read_bytes())
    content[17] = 6  # Megatron's code of float64
    index.write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.idx: is no token index of Megatron's format .*int32"):
        cut("mine", tmp_path / "mine", 10, END)


@pytest.mark.parametrize(
    ("token", "vocabulary", "accepted"),
    [
        pytest.param(9, 10, True, id="the last of the vocabulary"),
        pytest.param(10, 10, False, id="one beyond"),
        pytest.param(0, 10, True, id="the first"),
        pytest.param(-1, 10, False, id="negative"),
    ],
)
def test_a_token_beyond_the_vocabulary_is_refused(tmp_path: Path, token: int, vocabulary: int, accepted: bool) -> None:
    prefix = write(tmp_path, [[1, 2], [3, token]], np.int32)
    if accepted:
        assert read(prefix, vocabulary)["documents"] == 2
    else:
        message = rf"mine\.bin: document 1 has the token {token}, the tokenizer has 10 \(from 0 on\); these files need"
        with pytest.raises(UserError, match=message):
            read(prefix, vocabulary)


def test_ends_within_documents_are_counted(tmp_path: Path) -> None:
    made = read(write(tmp_path, [[1, END, 2, END], [END, 3], [4, END]]))
    assert (made["ends_within"], made["ends_added"]) == (2, 1)


@given(st.lists(st.integers(0, 7), min_size=1, max_size=20).filter(any), st.integers(1, 12))
def test_shards_hold_every_document_once_and_few_tokens(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], shard_tokens: int
) -> None:
    prefix = write(tmp_path_factory.mktemp("cut"), [[1] * length for length in lengths])
    shards = [argument for argument, _ in cut("mine", prefix, 10, END, shard_tokens=shard_tokens).values()]
    assert [number for one in shards for number in range(one.first, one.end)] == list(range(len(lengths)))
    for one in shards:
        assert sum(lengths[one.first : one.end - 1]) < shard_tokens


def test_files_of_megatrons_own_builder_are_read(tmp_path: Path) -> None:
    indexed_dataset = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    torch = pytest.importorskip("torch")
    builder = indexed_dataset.IndexedDatasetBuilder(str(tmp_path / "mine.bin"), dtype=np.int32)
    for sentences in ([[5, 6], [7]], [[1, END]]):
        for sentence in sentences:
            builder.add_item(torch.tensor(sentence))
        builder.end_document()
    builder.finalize(str(tmp_path / "mine.idx"))
    opened = IndexedTokens(tmp_path / "mine", END)
    assert opened.lengths().tolist() == [4, 2]
    assert opened.tokens(0, 0, 4).tolist() == [5, 6, 7, END]
    assert read(tmp_path / "mine")["tokens"] == 6


def test_sequences_with_gaps_are_refused(tmp_path: Path) -> None:
    index = write(tmp_path, DOCUMENTS).with_suffix(".idx")
    content = bytearray(index.read_bytes())
    content[34 + 4 * 4 + 8] += 2  # where the second sequence begins
    index.write_bytes(content)
    with pytest.raises(UserError, match=r"mine\.idx: its sequences do not lie one after the other"):
        read(tmp_path / "mine")


# Documents of some length, with ids that the tiny run's tokenizer has.
BROUGHT = [[(number * 7 + k) % 300 + 3 for k in range(20 + number)] for number in range(30)]


def mixed(tmp_path: Path, **mixture: float) -> tuple[str, str]:
    weights = ", ".join(f"{name}: {weight}" for name, weight in mixture.items())
    stages = f"pretrain.stages={{all: {{tokens: 3072, mixture: {{{weights}}}}}}}"
    return f"pretrain.token_sources={{mine: {tmp_path}/brought}}", stages


@pytest.fixture
def brought(packed: MakeRun, tmp_path: Path) -> Run:
    """A run that mixes files of tokens with a source of text; nothing of it is tokenised."""
    write(tmp_path, BROUGHT, np.int32, "brought")
    run = packed(*mixed(tmp_path, mine=0.5, inhouse=0.5))
    for made in ("tokens", "packed"):
        (run.run.dir / made).rename(tmp_path / f"{made}-before")
    return run


def test_brought_tokens_are_trained_and_the_model_is_exported(brought: Run) -> None:
    pack_tokens(brought)
    counts = Artifact.open(pack_plan(brought).dir).counts["sources"]["mine"]
    assert counts["documents"] == len(BROUGHT)
    assert counts["tokens"] == sum(len(document) + 1 for document in BROUGHT)
    taken = Job.prepare(brought, 1).plan.taken(48)
    assert abs(taken["mine"] - 24) <= 1
    train(brought)
    card = (export_model(brought).dir / "hf" / "README.md").read_text()
    assert "| source mine | not declared |" in card
    assert "| mine | tokens | " in card


def test_an_epoch_has_every_brought_token_once(brought: Run) -> None:
    pack_tokens(brought)
    job = Job.prepare(brought, 1)
    end = Artifact.open(tokens_dir(brought)).counts["end"]
    labels: list[int] = []
    first_epoch = [i for i in range(48) if (s := job.plan.at(i)).source == "mine" and s.epoch == 0]
    for i in first_epoch:
        [batch] = [job.loader.micro_batches(i // 4, (i % 4, 4))[0]]
        labels += batch.labels_T[batch.labels_T >= 0].tolist()
    expected = [token for document in BROUGHT for token in [*document[1:], end]]
    assert sorted(labels) == sorted(expected)


def test_nothing_of_them_is_copied(brought: Run) -> None:
    pack_tokens(brought)
    assert not list(tokens_dir(brought).glob("mine*.bin"))


def test_truncated_files_are_refused_before_anything_is_tokenised(brought: Run, tmp_path: Path) -> None:
    path = tmp_path / "brought.bin"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match=r"brought\.bin: \d+ bytes, its index says \d+; truncated\?"):
        pack_tokens(brought)
    assert not list(tokens_dir(brought).glob("*.bin"))


def test_missing_files_are_named_by_their_key(brought: Run, tmp_path: Path) -> None:
    (tmp_path / "brought.idx").unlink()
    with pytest.raises(UserError, match=r"pretrain\.token_sources\.mine: no such file or folder: .*brought\.idx"):
        pack_tokens(brought)


def test_files_truncated_after_packing_are_refused_before_training(brought: Run, tmp_path: Path) -> None:
    pack_tokens(brought)
    path = tmp_path / "brought.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-4])
    with pytest.raises(UserError, match=r"brought\.bin: \d+ bytes, its index says"):
        Job.prepare(brought, 1)
    path.unlink()
    with pytest.raises(UserError, match=r"brought\.bin: does not exist"):
        Job.prepare(brought, 1)
    write(tmp_path, BROUGHT[:-1], np.int32, "brought")
    with pytest.raises(UserError, match=r"brought\.bin: \d+ bytes, \d+ when it was read; put it back"):
        Job.prepare(brought, 1)


def test_files_that_were_only_touched_are_the_same_files(brought: Run, tmp_path: Path) -> None:
    before = pack_tokens(brought)
    for ending in ("bin", "idx"):
        os.utime(tmp_path / f"brought.{ending}")
    assert pack_tokens(brought).digest == before.digest
    content = bytearray((tmp_path / "brought.bin").read_bytes())
    content[0] ^= 1
    (tmp_path / "brought.bin").write_bytes(content)
    with pytest.raises(UserError, match=r"mine changed 'brought\.bin'"):
        pack_tokens(brought)


def test_ends_within_documents_are_told(brought: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    end = 0  # <|endoftext|> of the tiny run
    write(tmp_path, [*BROUGHT, [5, end, 6]], np.int32, "brought")
    with caplog.at_level(logging.WARNING):
        pack_tokens(brought)
    assert "pretrain.token_sources.mine: 1 end tokens stand within documents" in caplog.text


def test_a_name_of_a_source_of_text_is_refused(packed: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"pretrain\.token_sources: inhouse is a name in corpus\.sources already"):
        packed(f"pretrain.token_sources={{inhouse: {tmp_path}/brought}}")


def test_a_source_that_is_neither_text_nor_tokens_is_refused(packed: MakeRun, tmp_path: Path) -> None:
    token_sources, stages = mixed(tmp_path, mine=1, ours=1)
    with pytest.raises(ConfigError, match=r"stage 'all' mixes ours, which corpus\.sources and token_sources lack"):
        packed(token_sources, stages)
