"""The commit that a run remembers of a name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.hub import COMMITS, HubName, is_hub_name

BASE = HubName("pretrain.base", "model", "owner/name", None)


def test_a_name_stands_for_its_branch_until_the_commit_is_known(tmp_path: Path) -> None:
    assert BASE.commit(tmp_path) is None
    assert BASE.fixed(tmp_path) == "owner/name@main"
    BASE.pin(tmp_path / "run", "abc")
    assert BASE.commit(tmp_path / "run") == "abc"
    assert BASE.fixed(tmp_path / "run") == "owner/name@abc"


def test_kinds_names_and_revisions_are_kept_apart(tmp_path: Path) -> None:
    names = [
        BASE,
        HubName("tokenizer.base", "model", "owner/other", None),
        HubName("pretrain.base", "model", "owner/name", "v1"),
        HubName("corpus.sources.a.dataset", "dataset", "owner/name", None),
    ]
    for number, name in enumerate(names):
        name.pin(tmp_path, f"commit-{number}")
    assert [name.commit(tmp_path) for name in names] == [f"commit-{number}" for number in range(4)]
    assert len(json.loads((tmp_path / COMMITS).read_bytes())) == 4


def test_a_revision_that_is_spelled_out_is_the_same_as_the_default(tmp_path: Path) -> None:
    BASE.pin(tmp_path, "abc")
    assert HubName("pretrain.base", "model", "owner/name", "main").commit(tmp_path) == "abc"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        pytest.param("gpt2", True, id="one word"),
        pytest.param("owner/name-1.8b_v2", True, id="owner and name"),
        pytest.param("/owner/name", False, id="absolute"),
        pytest.param("./name", False, id="here"),
        pytest.param("~/name", False, id="home"),
        pytest.param("a/b/c", False, id="deeper"),
        pytest.param("a b/c", False, id="blank"),
        pytest.param("..", False, id="the folder above"),
        pytest.param("there", False, id="a folder here"),
        pytest.param("file", False, id="a file here"),
    ],
)
def test_what_can_be_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_one: bool) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    assert is_hub_name(text) is is_one
