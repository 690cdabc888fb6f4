"""Whether three tokenizers mean the same by an id, and up to which one they do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from transformers import AutoTokenizer

from configs.errors import UserError


def vocabulary(folder: Path) -> dict[str, int]:
    """The tokens of a folder's tokenizer, added ones included, and their ids.

    Raises:
        UserError: if it has no tokenizer that can be loaded.
    """
    try:
        found: dict[str, int] = AutoTokenizer.from_pretrained(folder, local_files_only=True).get_vocab()
    except (OSError, ValueError) as error:
        reason = str(error).split("\n", 1)[0]
        raise UserError(f"{folder}: no tokenizer that can be loaded ({reason})") from None
    return found


def first_new_id(trained: Path, known: Mapping[str, Path]) -> int:
    """The id from which on the trained model's tokens are its own.

    Args:
        known: the folders whose tokens the trained model must have under the same ids, by what they are called.
    Raises:
        UserError: names the tokens that have another id, or none.
    """
    ours = vocabulary(trained)
    first = 0
    for what, folder in known.items():
        theirs = vocabulary(folder)
        other = sorted((id_, token) for token, id_ in theirs.items() if ours.get(token) != id_)
        if other:
            shown = ", ".join(f"{token!r} ({id_}, here {ours.get(token, 'none')})" for id_, token in other[:3])
            raise UserError(
                f"{folder}: {len(other)} tokens of the {what} model have another id in {trained}: {shown}; a chat "
                "vector fits only models that were trained on from the same tokenizer"
            )
        first = max(first, 1 + max(theirs.values()))
    return first
