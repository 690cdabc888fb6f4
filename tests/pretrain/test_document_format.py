from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import UserError
from pretrain.document_format import DocumentFormat
from tests.tiny import write_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base folder."""
    return write_base(tmp_path_factory.mktemp("base"))


def test_a_document_is_its_text_and_the_end(base: Path) -> None:
    form = DocumentFormat.from_folder(base, "<|endoftext|>")
    [ids] = form.encode(["点検 12"])
    assert ids == [*form.tokenizer.encode("点検 12"), 0]


def test_without_a_setting_the_end_is_the_tokenizers_eos(base: Path) -> None:
    assert DocumentFormat.from_folder(base, None).end == 2


def test_text_that_spells_the_end_does_not_end_the_document(base: Path) -> None:
    form = DocumentFormat.from_folder(base, "<|endoftext|>")
    [ids] = form.encode(["a <|endoftext|> b"])
    assert ids.count(0) == 1
    assert form.tokenizer.backend.decode(ids[:-1], skip_special_tokens=False) == "a <|endoftext|> b"


def test_a_base_that_begins_documents_keeps_doing_so(base: Path, tmp_path: Path) -> None:
    definition = json.loads((base / "tokenizer.json").read_text())
    definition["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps(definition))
    form = DocumentFormat.from_folder(tmp_path, "<|endoftext|>")
    assert form.begin == (1,)
    assert form.encode(["a"])[0][0] == 1


@pytest.mark.parametrize(
    ("token", "told"),
    [pytest.param("</s>", "'</s>'", id="no such token"), pytest.param("", "''", id="nothing")],
)
def test_an_end_that_does_not_exist_is_refused_with_those_that_do(base: Path, token: str, told: str) -> None:
    with pytest.raises(UserError) as raised:
        DocumentFormat.from_folder(base, token)
    assert str(raised.value) == (
        f"pretrain.end_of_document: {base} has no token {told}; name one of its special tokens, "
        "such as '<|endoftext|>', '<|im_start|>', '<|im_end|>'"
    )


@pytest.mark.parametrize(
    "normalizer",
    [None, {"type": "NFC"}, {"type": "NFKC"}],
    ids=["compiled", "compiled and normalised", "by the library"],
)
def test_a_column_has_the_ids_of_its_documents_whoever_encodes_it(
    base: Path, tmp_path: Path, normalizer: dict[str, str] | None
) -> None:
    definition = json.loads((base / "tokenizer.json").read_text())
    (tmp_path / "tokenizer.json").write_text(json.dumps({**definition, "normalizer": normalizer}))
    form = DocumentFormat.from_folder(tmp_path, "<|endoftext|>")
    texts = ["点検 12", "", "The pump moves a small amount.", "が か\u3099"]
    tokens_T, length_N = form.encode_column(pa.array(texts, pa.large_string()), np.dtype(np.uint16))
    assert tokens_T.dtype == np.uint16
    assert [ids.tolist() for ids in np.split(tokens_T, np.cumsum(length_N)[:-1])] == form.encode(texts)
