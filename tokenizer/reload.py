"""Whether a written tokenizer folder gives its users the ids that were proved (the other half of invariant I7)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from configs.errors import UserError
from tokenizer.extendable import Extendable


def refuse_reloaded_otherwise(folder: Path, tokenizer: Extendable, texts: Iterable[str]) -> None:
    """Raise a UserError if transformers reads another tokenizer from a folder than was written into it."""
    from transformers import AutoTokenizer

    reloaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, split_special_tokens=True)
    for number, text in enumerate(texts):
        if reloaded.encode(text, add_special_tokens=False) != tokenizer.encode_as_loaded(text):
            raise UserError(
                f"{tokenizer.where}: I7: text {number} ({len(text)} characters) has other ids when transformers "
                "loads the folder; the base's tokenizer_config.json asks for something that its tokenizer.json lacks"
            )
