"""`new_rows.json`: how the embedding rows of the new tokens begin, told by the tokenizer stage to training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from configs.atomic_file import read_json
from configs.errors import UserError
from tokenizer.embed import Method, RowsOf, Spelling

NEW_ROWS = "new_rows.json"


@dataclass(frozen=True)
class Recipe:
    """What is known of the new rows before anybody reads the base's weights."""

    input: RowsOf
    """Of the input embedding, and of a tied one."""
    output: RowsOf
    """Of an output embedding of its own."""
    pad_to_multiple: int
    first_new_row: int
    """Size of the base's tokenizer."""
    spellings: tuple[tuple[Spelling, ...], ...]
    """For each new token the ways in which the base spells it, beginning with the one that it was built from."""

    def to_json(self) -> dict[str, Any]:
        """What the file holds."""
        recipe: dict[str, Any] = {
            "input": {"method": self.input.method, "norm": self.input.norm, "scale": self.input.scale},
            "output": {"method": self.output.method, "norm": self.output.norm, "scale": self.output.scale},
            "pad_to_multiple": self.pad_to_multiple,
            "first_new_row": self.first_new_row,
            "spellings": [list(some[0][1]) for some in self.spellings],
        }
        methods = (self.input.method, self.output.method)
        if "random" in methods:
            recipe["seed"] = self.input.seed
        if "align" in methods:
            recipe["occurrences"] = [[[count, list(pieces)] for count, pieces in some] for some in self.spellings]
        return recipe

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Of a tokenizer's folder.

        Raises:
            UserError: if it names a method that there is not, or does not have what a method needs.
        """
        told = read_json(path)
        methods = [told[side]["method"] for side in ("input", "output")]
        for method in methods:
            if method not in get_args(Method):
                raise UserError(f"{path}: unknown method {method!r}; known: {', '.join(get_args(Method))}")
        for method, needed in (("random", "seed"), ("align", "occurrences")):
            if method in methods and needed not in told:
                raise UserError(f"{path}: method {method} needs {needed!r}, which the file does not have")
        seed = int(told.get("seed", 0))
        spellings: list[Sequence[Spelling]] = (
            told["occurrences"] if "occurrences" in told else [[(1, pieces)] for pieces in told["spellings"]]
        )
        return cls(
            RowsOf(methods[0], told["input"]["norm"], told["input"]["scale"], "input", seed),
            RowsOf(methods[1], told["output"]["norm"], told["output"]["scale"], "output", seed),
            int(told["pad_to_multiple"]),
            int(told["first_new_row"]),
            tuple(tuple((count, tuple(pieces)) for count, pieces in some) for some in spellings),
        )
