"""The tokenizer of a folder, as the kind that its files say it is."""

from __future__ import annotations

from pathlib import Path

from configs.atomic_file import read_json
from configs.errors import UserError
from tokenizer.byte_bpe import ByteBpe
from tokenizer.extendable import Extendable


def open_tokenizer(folder: Path) -> Extendable:
    """Read the tokenizer of a Hugging Face folder.

    Raises:
        UserError: if there is none, or none of a kind that can be extended; names what was found.
    """
    path = folder / "tokenizer.json"
    if not path.exists():
        present = ", ".join(sorted(file.name for file in folder.glob("token*"))) or "no tokenizer file at all"
        raise UserError(
            f"{folder}: has no tokenizer.json (found: {present}); "
            "copy the base's tokenizer files into the folder, or name one that has them in tokenizer.base"
        )
    return ByteBpe(read_json(path), str(path))
