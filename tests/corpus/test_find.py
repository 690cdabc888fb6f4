from __future__ import annotations

from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.load import load
from configs.schema.run import Run
from corpus.batch import document_id
from corpus.build import build_corpus
from corpus.documents import documents
from corpus.find import find_documents

RUN_FILE = """
run: {{name: find, dir: {root}/run, seed: 1}}
corpus:
  sources: {{manuals: {{path: {root}/in, language: ja}}}}
  dedup: {{lines: null}}
  held_out: {{share: 0.3}}
pretrain:
  base: none
  stages: {{all: {{tokens: 1, mixture: {{manuals: 1}}}}}}
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """Eight documents, one of them twice, and one that is too short."""
    root = tmp_path_factory.mktemp("find")
    (root / "in").mkdir()
    for number in range(8):
        text = "".join(f"第{number}章の{k}節では、ポンプの点検と弁の交換の手順を説明する。" for k in range(number, 30))
        (root / "in" / f"{number}.txt").write_text(text)
    (root / "in" / "copy.txt").write_text((root / "in" / "3.txt").read_text())
    (root / "in" / "short.txt").write_text("あ")
    (root / "run.yaml").write_text(RUN_FILE.format(root=root))
    return build_corpus(load(root / "run.yaml", Run, []))


def id_of(name: str) -> str:
    return document_id("manuals", name, 0)


def test_every_document_is_found_where_it_stands(corpus: Artifact) -> None:
    for part in ("kept", "held_out"):
        [shard] = corpus.below(part)
        for row, (one, _) in enumerate(documents([shard])):
            found = find_documents(corpus, [one])[one]
            assert (found.state, found.shard, found.row) == (part, "manuals-00000", row)


def test_a_dropped_document_tells_why_and_for_which_one(corpus: Artifact) -> None:
    found = find_documents(corpus, [id_of("3.txt"), id_of("copy.txt"), id_of("short.txt")])
    pair = [found[id_of("3.txt")], found[id_of("copy.txt")]]
    [copy] = [one for one in pair if one.state == "duplicate_exact"]
    assert copy.survivor in {one.id for one in pair} - {copy.id}
    assert found[id_of("short.txt")].state not in ("kept", "held_out", "dropped")
    assert found[id_of("short.txt")].path == "short.txt"


def test_an_id_that_is_not_there_is_left_out(corpus: Artifact) -> None:
    assert set(find_documents(corpus, ["0" * 24, id_of("short.txt")])) == {id_of("short.txt")}
    assert find_documents(corpus, []) == {}


def test_what_is_found_has_no_text(corpus: Artifact, tmp_path: Path) -> None:
    found = find_documents(corpus, [id_of(f"{number}.txt") for number in range(8)])
    assert len(found) == 8
    assert "ポンプ" not in repr(found)
