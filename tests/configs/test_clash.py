"""Strangers with our import names are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.clash import refuse_strangers
from configs.errors import UserError


def install(site: Path, distribution: str, *packages: str) -> None:
    """What pip leaves of a distribution, as far as it matters here."""
    information = site / f"{distribution}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (information / "top_level.txt").write_text("".join(f"{package}\n" for package in packages))


def test_alone_nothing_is_refused() -> None:
    refuse_strangers()


def test_every_stranger_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "tokenizer", "tokenizer")
    install(tmp_path, "old-configs", "configs", "unrelated")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError) as caught:
        refuse_strangers()
    assert str(caught.value) == (
        "the installed package 'old-configs' also provides 'configs'; "
        "the installed package 'tokenizer' also provides 'tokenizer'; "
        "uninstall it, or install tsugiki in a virtual environment of its own"
    )


@pytest.mark.parametrize(
    ("distribution", "package"),
    [pytest.param("tsugiki", "corpus", id="ourselves"), pytest.param("Tokenizers", "tokenizers", id="another name")],
)
def test_our_own_distribution_and_other_names_are_no_strangers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, distribution: str, package: str
) -> None:
    install(tmp_path, distribution, package)
    monkeypatch.syspath_prepend(tmp_path)
    refuse_strangers()
