"""A corpus that knows another one by its signatures."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from configs.errors import UserError
from corpus.build import build_corpus
from tests.corpus.conftest import prose
from tests.corpus.corpora import RunOf, rows_of


def _write(root: Path, name: str, texts: dict[str, str]) -> None:
    (root / name).mkdir(parents=True)
    for file, text in texts.items():
        (root / name / file).write_text(text)


@pytest.mark.parametrize("whole", [True, False], ids=["the whole corpus", "its signatures alone"])
def test_what_an_existing_corpus_has_goes_and_names_its_survivor(run_of: RunOf, tmp_path: Path, whole: bool) -> None:
    _write(tmp_path / "old", "manuals", {"a.txt": prose(1), "b.txt": prose(2), "short.txt": "短い。"})
    existing = build_corpus(run_of(tmp_path / "old", tmp_path / "before", "manuals"))
    directory = existing.dir
    if not whole:
        shutil.copytree(existing.dir / "signatures", tmp_path / "only" / "signatures")
        directory = tmp_path / "only"
    _write(tmp_path / "new", "manuals", {"c.txt": prose(2) + "以上。", "d.txt": prose(3)})
    overrides = (f"corpus.dedup.against=[{directory}]", "corpus.held_out.share=0")
    corpus = build_corpus(run_of(tmp_path / "new", tmp_path / "after", "manuals", overrides=overrides))
    assert [row["path"] for row in rows_of(corpus, "kept")] == ["d.txt"]
    (gone,) = rows_of(corpus, "dropped")
    (survivor,) = [row["id"] for row in rows_of(existing, "kept", "held_out") if row["path"] == "b.txt"]
    assert (gone["path"], gone["reason"], gone["survivor"]) == ("c.txt", "duplicate_near", survivor)


def test_signatures_of_another_size_and_a_folder_without_any_are_refused(run_of: RunOf, tmp_path: Path) -> None:
    _write(tmp_path, "manuals", {"a.txt": prose(1)})
    existing = build_corpus(run_of(tmp_path, tmp_path / "before", "manuals"))
    more = (f"corpus.dedup.against=[{existing.dir}]", "corpus.dedup.bands=16")
    with pytest.raises(UserError, match="holds signatures of 256 values, this corpus makes 128"):
        build_corpus(run_of(tmp_path, tmp_path / "after", "manuals", overrides=more))
    with pytest.raises(UserError, match=r"corpus\.dedup\.against: no such file or folder"):
        build_corpus(run_of(tmp_path, tmp_path / "other", "manuals", overrides=("corpus.dedup.against=[nowhere]",)))
