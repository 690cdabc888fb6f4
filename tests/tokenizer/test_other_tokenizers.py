from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.errors import UserError
from tests.tokenizer.sp_models import TEXTS, sp_unigram, trained
from tokenizer.byte_bpe import ByteBpe
from tokenizer.fertility import chars_per_token
from tokenizer.other_tokenizers import fertility_of


def test_a_folder_a_json_and_a_model_are_measured_on_the_same_texts(tmp_path: Path, gpt2: ByteBpe) -> None:
    base = sp_unigram()
    assert base.model is not None
    (tmp_path / "folder").mkdir()
    names = [str(tmp_path / name) for name in ("folder", "tokenizer.json", "their.model")]
    for path in ("folder/tokenizer.json", "tokenizer.json"):
        (tmp_path / path).write_text(json.dumps(gpt2.definition))
    (tmp_path / "their.model").write_bytes(base.model.serialised())
    found = fertility_of(names, {"ja": TEXTS, "nothing": []})
    expected = [chars_per_token(one, TEXTS) for one in (gpt2, gpt2, base)]
    assert found == {name: {"ja": one, "nothing": None} for name, one in zip(names, expected, strict=True)}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("tokenizer.json", b'{"model": ', "is no tokenizer that the tokenizers library reads"),
        ("a.model", trained("bpe").serialised()[:-100], "is no SentencePiece model; copy it again"),
        ("empty/other.txt", b"", r"has none of tokenizer\.json, tokenizer\.model"),
        ("nowhere/else/..", None, "no such file or folder"),
    ],
    ids=["a damaged json", "a damaged model", "a folder without", "nothing there"],
)
def test_what_cannot_be_measured_is_told_by_its_name(
    tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    named = path.parent if name.startswith("empty") else path
    with pytest.raises(UserError, match=f"--against {named}: .*{told}|--against {named}: {told}"):
        fertility_of([str(named)], {"ja": TEXTS})
