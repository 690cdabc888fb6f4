"""The weights that training begins with: the base's, with the rows of new tokens grafted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import GraftedReader, HfFolderReader
from pretrain.engines import hf_model
from tokenizer.embed import RowsOf, init_rows, padded_rows, unfit_rows
from tokenizer.recipe import NEW_ROWS, Recipe

# Rows that a message names.
_NAMED = 3


@dataclass(frozen=True)
class Graft:
    """How the base's embeddings grow."""

    base: Path
    first_new_row: int
    """Size of the base's tokenizer; rows from here on are the new tokens', or padding."""
    vocab_rows: int
    """Rows after growing."""
    reader: GraftedReader


def graft(base: Path, tokenizer: Path) -> Graft:
    """Read the recipe of the tokenizer stage and make the new rows.

    Input and output embedding get their rows from their own old rows; a tied one is one. Whatever the base has beyond
    its tokenizer's tokens is made anew too: nobody has trained it.

    Raises:
        UserError: if the base has fewer embedding rows than its tokenizer has tokens, or a new row would be so short
            or so long that training could not start from it.
    """
    recipe = Recipe.read(tokenizer / NEW_ROWS)
    config = hf_model.read_config(base)
    first, count = recipe.first_new_row, len(recipe.spellings)
    if config.vocab_size < first:
        raise UserError(f"{base}: its tokenizer has {first} tokens, its embeddings {config.vocab_size} rows")
    rows = padded_rows(config.vocab_size, first + count, recipe.pad_to_multiple)
    reader = HfFolderReader(base)
    made_by = {"model.embed_tokens.weight": recipe.input}
    if not config.tie_word_embeddings:
        made_by["lm_head.weight"] = recipe.output
    new_rows = {}
    for name, how in made_by.items():
        old_VH = reader.read(name, Box((0, 0), (first, reader.shape(name)[1])))
        made_NH = init_rows(how, old_VH, recipe.spellings)
        _refuse_unfit(f"{base}: {name}", how, recipe, made_NH, unfit_rows(old_VH, made_NH))
        padding_PH = torch.zeros((rows - first - count, old_VH.shape[1]))
        new_rows[name] = torch.cat([made_NH, padding_PH])
    return Graft(base, first, rows, GraftedReader(reader, first, new_rows))


def _refuse_unfit(where: str, how: RowsOf, recipe: Recipe, made_NH: torch.Tensor, unfit: list[int]) -> None:
    if not unfit:
        return
    named = [
        f"{recipe.first_new_row + number} (norm {made_NH[number].norm():.3g}, made of the old rows "
        f"{', '.join(map(str, recipe.spellings[number][0][1]))})"
        for number in unfit[:_NAMED]
    ]
    more = f" and {len(unfit) - _NAMED} more" if len(unfit) > _NAMED else ""
    key = "" if how.side == "input" else "output_"
    raise UserError(
        f"{where}: new rows that training cannot start from, by method {how.method}: {'; '.join(named)}{more}; "
        f"a row must be at least a hundredth as long as the median old row and at most twice as long as the longest; "
        f"change tokenizer.init.{key}method or tokenizer.init.{key}norm, or look at the old rows"
    )
