"""Pseudonyms: the same for the same value in every notation, another for another key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from configs.artifact import build
from configs.errors import UserError
from configs.schema.mask import Mask
from corpus.mask.find import PLACEHOLDER
from corpus.mask.pseudonym import keep_to_key, needs_key, pseudonym, read_key

KEY = b"an invented key of more than 16 bytes"


@pytest.mark.parametrize(
    "notation",
    ["03-0000-1234", "(03)0000-1234", "０３－００００－１２３４", "03 0000 1234", "+81-3-0000-1234", "+81(0)300001234"],
)
def test_a_number_has_one_pseudonym_in_every_notation(notation: str) -> None:
    assert pseudonym(KEY, "phone", notation) == pseudonym(KEY, "phone", "0300001234")


def test_another_value_kind_or_key_has_another() -> None:
    words = {
        pseudonym(KEY, "phone", "03-0000-1234"),
        pseudonym(KEY, "phone", "03-0000-1235"),
        pseudonym(KEY, "my_number", "03-0000-1234"),
        pseudonym(KEY + b"!", "phone", "03-0000-1234"),
    }
    assert len(words) == 4
    assert all(PLACEHOLDER.fullmatch(word) for word in words)


def test_nobody_needs_a_key_who_makes_no_pseudonyms() -> None:
    assert not needs_key(Mask())
    assert needs_key(Mask(email="pseudonymise"))


def test_the_key_is_in_a_file_or_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(KEY + b"\n")
    monkeypatch.setenv("SOME_KEY", "k" * 16)
    assert read_key(Mask(email="pseudonymise", key_file=str(tmp_path / "key"))) == KEY
    assert read_key(Mask(email="pseudonymise", key_env="SOME_KEY")) == b"k" * 16


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"key_env": "NO_SUCH"}, "the environment variable NO_SUCH has none", id="nowhere"),
        pytest.param({"key_env": "SHORT"}, "the environment variable SHORT has 15 bytes", id="short"),
        pytest.param({"key_file": "absent"}, "absent does not exist", id="no file"),
        pytest.param({"key_file": "run/key"}, "inside the run directory", id="in the run directory"),
    ],
)
def test_a_key_that_does_not_do_is_refused_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHORT", "k" * 15)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "key").write_bytes(KEY)
    with pytest.raises(UserError, match=complaint) as refused:
        read_key(Mask(email="pseudonymise", **settings), tmp_path / "run")
    assert "kkk" not in str(refused.value)


def test_a_directory_keeps_to_one_key_and_does_not_hold_it(tmp_path: Path) -> None:
    builder = build(tmp_path / "corpus", kind="corpus", version=1, config={}, inputs={})
    keep_to_key(builder, KEY)
    keep_to_key(builder, KEY)
    with pytest.raises(UserError, match="another pseudonym key"):
        keep_to_key(builder, KEY + b"!")
    assert not any(KEY in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
