"""Lists of a run: each a measure, a rule and a part of what the corpus is known by."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.schema.corpus import WordList
from configs.schema.preset import RuleChange
from configs.schema.run import Run
from corpus.batch import Batch, BatchBuilder
from corpus.build import build_corpus
from corpus.lists import list_digests, list_measures
from corpus.retune import retune
from corpus.stage import corpus_plan


@pytest.fixture
def run(mixed: Path, run_of: Callable[..., Run], tmp_path: Path) -> Run:
    """Manuals, with a list of words that some of them have, and one of hosts."""
    plain = run_of(mixed, tmp_path / "run", "manuals")
    (tmp_path / "words.txt").write_text("倉庫\n")
    (tmp_path / "hosts.txt").write_text("example.com\nnews.example.jp\n")
    lists = {"stores": WordList(path=str(tmp_path / "words.txt"), max_hits=0)}
    changes = {"word_lists": lists, "host_lists": {"news": str(tmp_path / "hosts.txt")}}
    return plain.model_copy(update={"corpus": plain.corpus.model_copy(update=changes)})


def test_documents_with_too_many_hits_are_dropped_for_the_list(run: Run) -> None:
    corpus = build_corpus(run)
    dropped = corpus.counts["dropped"]["words_stores"]
    assert dropped > 0
    found = retune(corpus, run, run, 1)
    assert found.counts[("words_stores", "words_stores")] == dropped
    assert found.measured_again == 0
    lenient = {"too_short": RuleChange(off=True)}
    wanted = run.model_copy(update={"corpus": run.corpus.model_copy(update={"rules": lenient})})
    # A document that passes now and was dropped before has never been looked through.
    assert retune(corpus, run, wanted, 1).measured_again == 1


def test_what_a_list_holds_is_part_of_the_config(run: Run, tmp_path: Path) -> None:
    from corpus.words import load_words

    before = corpus_plan(run).config
    (tmp_path / "words.txt").write_text("倉庫\n工場\n")
    load_words.cache_clear()
    assert corpus_plan(run).config != before
    assert set(list_digests(run.corpus)) == {"words.stores", "hosts.news"}


def addressed(*urls: str | None) -> Batch:
    """Documents from some addresses."""
    builder = BatchBuilder("web", "a", "", "ja")
    for position, url in enumerate(urls):
        builder.add("点検", position, "utf-8", url=url)
    batch = builder.take()
    assert batch is not None
    return batch


def test_hosts_and_what_is_below_them_are_found(run: Run) -> None:
    urls = ["https://example.com/a", "http://a.b.example.com:80/", "https://notexample.com", "https://example.jp", None]
    found = list_measures(run.corpus)["hosts.news"](addressed(*urls, "http://[broken", "news.example.jp"))
    assert found.tolist() == [1, 1, 0, 0, 0, 0, 0]
