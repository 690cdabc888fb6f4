"""Reading a finished corpus."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.artifact import Artifact, Claim, build
from configs.schema.corpus import Corpus, Source
from corpus.batch import Batch
from corpus.documents import documents, shards_of, sources_in
from corpus.shards import ShardWriter

NAMES = ["web-00000", "web-00001", "web-ja-00000", "we-00000", "web-99999", "web-100000"]


@pytest.fixture
def corpus(tmp_path: Path, batch_of: Callable[..., Batch]) -> Artifact:
    """Shards of sources whose names begin alike."""
    builder = build(tmp_path, kind="corpus", version=1, config={}, inputs={})
    for part in ("kept", "held_out"):
        for name in NAMES:
            claim = builder.task(f"{part}-{name}")
            assert isinstance(claim, Claim)
            with ShardWriter(claim, f"{part}/{name}.parquet") as writer:
                writer.add(batch_of(f"{part} {name}"))
            claim.done()
    return builder.finish({})


@pytest.mark.parametrize(
    ("source", "shards"),
    [
        ("web", {"web-00000", "web-00001", "web-99999", "web-100000"}),
        ("web-ja", {"web-ja-00000"}),
        ("we", {"we-00000"}),
        ("w", set()),
    ],
)
def test_the_shards_of_a_source_are_its_own(corpus: Artifact, source: str, shards: set[str]) -> None:
    for part in ("kept", "held_out"):
        assert {path.stem for path in shards_of(corpus, part, source)} == shards
        assert {path.parent.name for path in shards_of(corpus, part, source)} <= {part}


def test_documents_are_ids_and_texts_in_order(corpus: Artifact) -> None:
    texts = [text for _, text in documents(shards_of(corpus, "held_out", "web"))]
    assert texts[:2] == ["held_out web-00000", "held_out web-00001"]
    assert len({identifier for identifier, _ in documents(shards_of(corpus, "kept", "web"))}) == 1


def test_sources_are_chosen_by_language_in_the_order_of_the_run_file() -> None:
    sources = {name: Source(path="x", language=language) for name, language in (("z", "ja"), ("b", "en"), ("a", "ja"))}
    settings = Corpus(sources=sources)
    assert sources_in(settings, ("ja",)) == ["z", "a"]
    assert sources_in(settings, ("en", "ja")) == ["z", "b", "a"]
    assert sources_in(settings, ("de",)) == []
