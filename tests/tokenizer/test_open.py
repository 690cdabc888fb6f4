"""Which kind a folder's tokenizer is, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import UserError
from tokenizer.open import open_tokenizer


def test_a_folder_without_tokenizer_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        open_tokenizer(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path}: has no tokenizer.json (found: no tokenizer file at all); "
        "copy the base's tokenizer files into the folder, or name one that has them in tokenizer.base"
    )


def test_a_damaged_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(UserError, match=r"tokenizer\.json: damaged, not JSON"):
        open_tokenizer(tmp_path)
