"""Whatever `datasets` loads: a local folder by its name; what cannot be loaded is an error of the run file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from configs.errors import UserError
from corpus.batch import BATCH_DOCUMENTS, document_id

if TYPE_CHECKING:
    from pathlib import Path

    from tests.corpus.conftest import Desk


@pytest.fixture(autouse=True)
def no_cache_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library keeps goes away with the test."""
    import datasets.config

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(datasets.config, "HF_MODULES_CACHE", str(tmp_path / "modules"))


def records(count: int) -> str:
    """JSON lines."""
    return "".join(json.dumps({"text": f"第{n}号", "title": f"{n}"}, ensure_ascii=False) + "\n" for n in range(count))


def test_a_local_folder_is_read_by_name_and_its_rows_are_numbered(desk: Desk) -> None:
    desk.put("minutes/train.jsonl", records(3))
    read = desk.read("minutes", dataset=str(desk.root / "minutes"), meta_keys=("title",))
    assert [(one["text"], one["position"], one["meta"]) for one in read.documents] == [
        (f"第{n}号", n, f'{{"title": "{n}"}}') for n in range(3)
    ]
    assert read.documents[1]["id"] == document_id("mail", "minutes", 1)


def test_more_rows_than_a_batch_holds_are_all_read(desk: Desk) -> None:
    desk.put("minutes/train.jsonl", records(BATCH_DOCUMENTS + 1))
    read = desk.read("minutes", dataset=str(desk.root / "minutes"))
    assert read.texts == [f"第{n}号" for n in range(BATCH_DOCUMENTS + 1)]


def test_the_split_is_the_one_that_is_named(desk: Desk) -> None:
    desk.put("minutes/train.jsonl", records(3))
    desk.put("minutes/test.jsonl", records(1))
    assert len(desk.read("minutes", dataset=str(desk.root / "minutes"), split="test").documents) == 1


def test_rows_without_text_are_put_aside(desk: Desk) -> None:
    desk.put("minutes/train.jsonl", '{"text": "一"}\n{"text": null}\n')
    read = desk.read("minutes", dataset=str(desk.root / "minutes"))
    assert (read.texts, read.reasons) == (["一"], [(1, "no_text", "the field 'text' is missing or no text")])


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param(
            {"dataset": "minutes", "split": "dev"},
            "split 'dev': ValueError: Bad split: dev. Available splits: ['train']",
            id="no such split",
        ),
        pytest.param(
            {"dataset": "minutes", "dataset_config": "ja"},
            "split 'train': ValueError: BuilderConfig 'ja' not found. Available: ['default']",
            id="no such configuration",
        ),
        pytest.param(
            {"dataset": "empty"},
            "split 'train': EmptyDatasetError: The directory at {root}/empty doesn't contain any data files",
            id="empty folder",
        ),
        pytest.param(
            {"dataset": "none"},
            "split 'train': FileNotFoundError: Couldn't find any data file at {root}/none.",
            id="no such folder",
        ),
    ],
)
def test_what_cannot_be_loaded_is_told_with_the_key(desk: Desk, source: dict[str, Any], complaint: str) -> None:
    desk.put("minutes/train.jsonl", records(1))
    (desk.root / "empty").mkdir()
    folder = str(desk.root / source["dataset"])
    with pytest.raises(UserError) as caught:
        desk.read("minutes", **{**source, "dataset": folder})
    told = f"corpus.sources.mail.dataset: cannot load {folder!r}, {complaint}"
    assert str(caught.value) == told.format(root=desk.root)


def test_a_folder_that_is_a_program_is_not_run(desk: Desk) -> None:
    desk.put("minutes/minutes.py", "raise SystemExit\n")
    desk.put("minutes/train.jsonl", records(1))
    with pytest.raises(UserError, match=r"but found minutes\.py; code of a dataset is not run: convert it to Parquet"):
        desk.read("minutes", dataset=str(desk.root / "minutes"))


def test_a_dataset_that_no_hub_can_be_asked_for_is_told(desk: Desk) -> None:
    with pytest.raises(UserError) as caught:
        desk.read("minutes", dataset="no-such-owner/no-such-dataset")
    assert str(caught.value).startswith(
        "corpus.sources.mail.dataset: the dataset 'no-such-owner/no-such-dataset' is not in the cache "
    )
    assert "`hf download no-such-owner/no-such-dataset --repo-type dataset --local-dir DIR`" in str(caught.value)
