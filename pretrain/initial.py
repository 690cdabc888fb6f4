"""The weights that training begins with: the base's, with the rows of new tokens grafted on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from configs.atomic_file import read_json
from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.hf_reader import GraftedReader, HfFolderReader
from pretrain.engines import hf_model
from tokenizer.embed import init_rows, padded_rows


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

    Input and output embedding get their rows from their own old rows; a tied one is one.

    Raises:
        UserError: if the base has fewer embedding rows than its tokenizer has tokens.
    """
    recipe = read_json(tokenizer / "new_rows.json")
    config = hf_model.read_config(base)
    first = int(recipe["first_new_row"])
    if config.vocab_size < first:
        raise UserError(f"{base}: its tokenizer has {first} tokens, its embeddings {config.vocab_size} rows")
    spellings: list[list[int]] = recipe["spellings"]
    rows = padded_rows(config.vocab_size, first + len(spellings), int(recipe["pad_to_multiple"]))
    reader = HfFolderReader(base)
    names = ["model.embed_tokens.weight"] + ([] if config.tie_word_embeddings else ["lm_head.weight"])
    new_rows = {}
    for name in names:
        old_VH = reader.read(name, Box((0, 0), (first, reader.shape(name)[1])))
        made_NH = init_rows(recipe["method"], old_VH, spellings, norm=float(recipe["norm"]))
        padding_PH = torch.zeros((rows - first - len(spellings), old_VH.shape[1]))
        new_rows[name] = torch.cat([made_NH, padding_PH])
    return Graft(base, first, rows, GraftedReader(reader, first, new_rows))
