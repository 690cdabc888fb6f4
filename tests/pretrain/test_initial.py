"""The rows that training begins with, of bases with tied, untied and padded embeddings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.initial import Graft, graft
from tests.tiny import write_base
from tokenizer.embed import RowsOf
from tokenizer.recipe import Recipe

INPUT, OUTPUT = "model.embed_tokens.weight", "lm_head.weight"
SPELLINGS = (((1, (300, 301)),), ((1, (302, 303, 304)),))
MEAN_FIRST = Recipe(RowsOf("mean"), RowsOf("first", side="output"), 8, 320, SPELLINGS)


def _base(folder: Path, *, tied: bool = True, padding: int = 0) -> dict[str, torch.Tensor]:
    """A base with 320 tokens and rows of ones beyond them; its weights."""
    write_base(folder, tied=tied)
    weights = load_file(folder / "model.safetensors")
    for name in (INPUT,) if tied else (INPUT, OUTPUT):
        weights[name] = torch.cat([weights[name], torch.ones(padding, 32)])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "vocab_size": 320 + padding}))
    return weights


def _grafted(base: Path, recipe: Recipe) -> Graft:
    folder = base.parent / "tokenizer"
    folder.mkdir(exist_ok=True)
    (folder / "new_rows.json").write_text(json.dumps(recipe.to_json()))
    return graft(base, folder)


def _read(grafted: Graft, name: str) -> torch.Tensor:
    return grafted.reader.read(name, Box((0, 0), (grafted.vocab_rows, 32)), "master")


def test_a_tied_row_is_made_as_an_input_row(tmp_path: Path) -> None:
    old = _base(tmp_path / "base")[INPUT]
    grafted = _grafted(tmp_path / "base", MEAN_FIRST)
    rows = _read(grafted, INPUT)
    assert grafted.vocab_rows == len(rows) == 328
    assert torch.equal(rows[:320], old)
    assert torch.allclose(rows[320:322], torch.stack([old[[300, 301]].mean(0), old[[302, 303, 304]].mean(0)]))
    assert not rows[322:].any()


def test_input_and_output_rows_of_an_untied_base_are_made_each_by_its_method(tmp_path: Path) -> None:
    old = _base(tmp_path / "base", tied=False)
    grafted = _grafted(tmp_path / "base", MEAN_FIRST)
    assert not torch.equal(old[INPUT], old[OUTPUT])
    assert torch.allclose(_read(grafted, INPUT)[320], old[INPUT][[300, 301]].mean(0))
    assert torch.equal(_read(grafted, OUTPUT)[320:322], old[OUTPUT][[300, 302]])


@pytest.mark.parametrize("padding", [1, 2, 8, 11])
@pytest.mark.parametrize("tied", [True, False])
def test_rows_that_the_base_had_as_padding_are_made_anew(tmp_path: Path, tied: bool, padding: int) -> None:
    old = _base(tmp_path / "base", tied=tied, padding=padding)
    grafted = _grafted(tmp_path / "base", MEAN_FIRST)
    assert grafted.vocab_rows == (336 if padding == 11 else 328)
    for name in (INPUT,) if tied else (INPUT, OUTPUT):
        rows = _read(grafted, name)
        assert torch.equal(rows[:320], old[name][:320])
        assert (rows[320:322].norm(dim=1) > 0).all()
        assert not (rows[320:] == 1).any()
        assert not rows[322:].any()


def test_a_box_of_padding_rows_alone_holds_new_rows(tmp_path: Path) -> None:
    _base(tmp_path / "base", padding=8)
    grafted = _grafted(tmp_path / "base", MEAN_FIRST)
    box = Box((320, 4), (2, 5))
    assert torch.equal(grafted.reader.read(INPUT, box, "master"), _read(grafted, INPUT)[320:322, 4:9])


def test_a_row_of_zeros_is_refused_by_its_number(tmp_path: Path) -> None:
    weights = _base(tmp_path / "base")
    weights[INPUT][[302, 303, 304]] = 0
    save_file(weights, tmp_path / "base" / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError) as raised:
        _grafted(tmp_path / "base", MEAN_FIRST)
    assert str(raised.value) == (
        f"{tmp_path}/base: {INPUT}: new rows that training cannot start from, by method mean: "
        "321 (norm 0, made of the old rows 302, 303, 304); a row must be at least a hundredth as long as the median "
        "old row and at most twice as long as the longest; change tokenizer.init.method or tokenizer.init.norm, "
        "or look at the old rows"
    )


def test_output_rows_that_are_too_long_name_their_own_keys(tmp_path: Path) -> None:
    _base(tmp_path / "base", tied=False)
    long = replace(MEAN_FIRST, output=RowsOf("first", 100.0, side="output"))
    with pytest.raises(UserError, match=r"lm_head.weight: .* 320 \(norm .*tokenizer\.init\.output_norm"):
        _grafted(tmp_path / "base", long)


def test_of_many_rows_that_are_refused_three_are_named(tmp_path: Path) -> None:
    _base(tmp_path / "base")
    many = replace(MEAN_FIRST, input=RowsOf("mean", 1000.0), spellings=SPELLINGS * 3)
    with pytest.raises(UserError, match=r"320 .*321 .*322 .*\) and 3 more;"):
        _grafted(tmp_path / "base", many)


def test_a_base_with_fewer_rows_than_tokens_is_an_error(tmp_path: Path) -> None:
    _base(tmp_path / "base")
    with pytest.raises(UserError, match="its tokenizer has 321 tokens, its embeddings 320 rows"):
        _grafted(tmp_path / "base", replace(MEAN_FIRST, first_new_row=321))
