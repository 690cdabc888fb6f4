"""What the corpus stage reads, known without reading it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.errors import UserError
from configs.hub import HubName
from configs.raw_input import RawFile
from configs.schema.run import Run
from corpus.hub_datasets import pinned
from corpus.stage import corpus_plan, source_files


def test_the_plan_names_inputs_and_size_without_writing(
    mixed: Path, run_of: Callable[..., Run], tmp_path: Path
) -> None:
    plan = corpus_plan(run_of(mixed, tmp_path / "run", "manuals", "english"))
    assert (plan.name, plan.dir, plan.state) == ("corpus", tmp_path / "run" / "corpus", "to do")
    sizes = [path.stat().st_size for name in ("manuals", "english") for path in (mixed / name).iterdir()]
    assert plan.input_bytes == sum(sizes)
    assert not (tmp_path / "run").exists()


def test_the_plan_covers_the_preset_and_the_seed_and_no_workers(
    mixed: Path, run_of: Callable[..., Run], tmp_path: Path
) -> None:
    config = corpus_plan(run_of(mixed, tmp_path, "english")).config
    assert config["seed"] == 5
    assert config["preset"]["rules"][0]["reason"] == "broken_characters"
    assert "workers" not in config


def test_a_dataset_is_known_by_its_words(mixed: Path, run_of: Callable[..., Run], tmp_path: Path) -> None:
    hub = "corpus.sources.hub={dataset: owner/name, dataset_config: ja, language: ja}"
    files = source_files(run_of(mixed, tmp_path, "english", overrides=(hub,)))
    assert files["hub"] == "owner/name@main:ja:train"
    assert len(files["english"]) == 8


def test_a_dataset_whose_commit_is_known_is_known_by_that(
    mixed: Path, run_of: Callable[..., Run], tmp_path: Path
) -> None:
    hub = "corpus.sources.hub={dataset: owner/name, revision: v1, language: ja}"
    run = run_of(mixed, tmp_path, "english", overrides=(hub,))
    HubName("key", "dataset", "owner/name", "v1").pin(run.run.dir, "abc")
    assert source_files(run)["hub"] == "owner/name@abc:train"
    assert pinned(run).sources["hub"].revision == "abc"
    assert pinned(run).digested() == run.corpus.digested(), "the commit identifies the input, not the config"


def test_a_dataset_in_a_folder_is_none_of_the_hub(
    mixed: Path, run_of: Callable[..., Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    hub = "corpus.sources.hub={dataset: owner/name, language: ja}"
    run = run_of(mixed, tmp_path, "english", overrides=(hub,))
    assert source_files(run)["hub"] == "owner/name:train"
    (tmp_path / "owner" / "name" / "train.jsonl").write_text("{}")
    files = corpus_plan(run).raw["corpus.sources.hub.dataset"]
    known = [(one.name, one.bytes) for one in files if isinstance(one, RawFile)]
    assert known == [("train.jsonl", 2)], "another file there is another input"


def test_a_source_that_does_not_exist_is_told_with_its_key(
    mixed: Path, run_of: Callable[..., Run], tmp_path: Path
) -> None:
    run = run_of(mixed, tmp_path, "none")
    with pytest.raises(UserError, match=r"corpus\.sources\.none\.path: no such file or folder: "):
        corpus_plan(run)
