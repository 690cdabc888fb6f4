"""The normalisation steps by the names presets call them, and the step that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from configs.schema.corpus import Normalise
from corpus.batch import Batch, utf8_of, with_text
from corpus.kernels.marks import Flags, look
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
    texts: list[str] | None = None
    is_code = [language == "code" for language in batch.column("language").to_pylist()]
    for name, idle in zip(steps, _idle(batch, steps), strict=True):
        step, for_prose = STEPS[name], name in _FOR_PROSE
        rows = [row for row, code in enumerate(is_code) if not (code and for_prose) and (idle is None or not idle[row])]
        if not rows:
            continue
        if texts is None:
            texts = batch.column("text").to_pylist()
        changed = 0
        for row in rows:
            text = step(texts[row], settings)
            changed += text != texts[row]
            texts[row] = text
        tally.add(f"normalised.{name}", changed)
    return batch if texts is None else with_text(batch, texts)


def _idle(batch: Batch, steps: Sequence[str]) -> list[Flags | None]:
    """For each step the documents that it would leave as they are; None where that is not known beforehand."""
    invisible_N, western_N = look(*utf8_of(batch.column("text")))
    known = {"invisible": ~invisible_N, "punctuation": ~western_N}
    # The compatibility normalisation changes punctuation; the other steps add no sign that these two look for.
    until = steps.index("nfkc") if "nfkc" in steps else len(steps)
    return [known.get(name) if at < until else None for at, name in enumerate(steps)]
