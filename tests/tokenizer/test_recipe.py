from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from tokenizer.embed import Method, RowsOf
from tokenizer.recipe import Recipe


def _recipe(method: Method, output: Method) -> Recipe:
    spellings = (((4, (1, 2)), (3, (5,))), ((0, (2, 2, 1)),))
    return Recipe(RowsOf(method, 0.5, 1.0, "input", 7), RowsOf(output, None, 0.9, "output", 7), 64, 100, spellings)


def _there_and_back(folder: Path, told: dict[str, Any]) -> Recipe:
    (folder / "new_rows.json").write_text(json.dumps(told))
    return Recipe.read(folder / "new_rows.json")


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    recipe = _recipe("align", "random")
    assert _there_and_back(tmp_path, recipe.to_json()) == recipe


def test_what_no_method_needs_is_not_written(tmp_path: Path) -> None:
    told = _recipe("mean", "first").to_json()
    assert told["spellings"] == [[1, 2], [2, 2, 1]]
    assert not {"seed", "occurrences"} & told.keys()
    read = _there_and_back(tmp_path, told)
    assert read.spellings == (((1, (1, 2)),), ((1, (2, 2, 1)),))
    assert (read.input, read.output) == (RowsOf("mean", 0.5), RowsOf("first", None, 0.9, "output"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input": {"method": "magic", "norm": None}}, "unknown method 'magic'; known: mean, weighted, first"),
        ({"input": {"method": "random", "norm": None}}, "method random needs 'seed', which the file does not have"),
        ({"output": {"method": "align", "norm": None}}, "method align needs 'occurrences'"),
    ],
)
def test_a_recipe_that_lacks_something_is_an_error(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        _there_and_back(tmp_path, {**_recipe("mean", "first").to_json(), **change})
