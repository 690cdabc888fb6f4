"""The normalisation steps by the names presets call them, and the step that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from configs.schema.corpus import Normalise
from corpus.batch import Batch, with_text
from corpus.normalise import characters
from corpus.normalise.wrapped import unwrap
from corpus.tally import Tally

TextStep = Callable[[str, Normalise], str]

STEPS: dict[str, TextStep] = {
    "invisible": lambda text, _: characters.remove_invisible(text),
    "punctuation": lambda text, _: characters.japanese_punctuation(text),
    "nfkc": lambda text, settings: characters.nfkc(text, settings.keep),
    "unwrap": lambda text, _: unwrap(text),
    "space": lambda text, _: characters.tidy_space(text),
}

_FOR_PROSE = frozenset({"punctuation", "nfkc", "unwrap"})
"""Steps that would change what a program does; documents whose language is code go past them."""


def normalise(batch: Batch, steps: Sequence[str], settings: Normalise, tally: Tally) -> Batch:
    """Run the steps in their order on every text; counts the documents each one changed."""
    texts: list[str] = batch.column("text").to_pylist()
    is_code = [language == "code" for language in batch.column("language").to_pylist()]
    for name in steps:
        step, for_prose = STEPS[name], name in _FOR_PROSE
        changed = [
            text if code and for_prose else step(text, settings) for text, code in zip(texts, is_code, strict=True)
        ]
        tally.add(f"normalised.{name}", sum(a != b for a, b in zip(texts, changed, strict=True)))
        texts = changed
    return with_text(batch, texts)
