"""The normalisation steps by the names presets call them, and the step that runs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from configs.schema.corpus import Normalise
from corpus.batch import Batch, utf8_of, with_column, with_rows
from corpus.kernels.marks import look, meet
from corpus.normalise import characters
from corpus.normalise.wrapped import unwrap, wrapped
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
    idle, changed_N = _idle(batch, steps, settings), [False] * batch.num_rows
    is_code = [language == "code" for language in batch.column("language").to_pylist()]
    for name in steps:
        step, for_prose, idle_N = STEPS[name], name in _FOR_PROSE, idle.get(name)
        rows = [
            row
            for row, code in enumerate(is_code)
            if not (code and for_prose) and (changed_N[row] or idle_N is None or not idle_N[row])
        ]
        if not rows:
            continue
        if texts is None:
            texts = batch.column("text").to_pylist()
        changed = 0
        for row in rows:
            text = step(texts[row], settings)
            if text != texts[row]:
                changed += 1
                texts[row], changed_N[row] = text, True
        tally.add(f"normalised.{name}", changed)
    rows = [row for row, changed in enumerate(changed_N) if changed]
    if texts is None or not rows:
        return batch
    return with_column(batch, "text", with_rows(batch.column("text"), rows, [texts[row] for row in rows]))


def _idle(batch: Batch, steps: Sequence[str], settings: Normalise) -> dict[str, list[bool]]:
    """By step, the documents that it leaves as they are while no other step has changed them."""
    column = utf8_of(batch.column("text"))
    invisible_N, western_N = look(*column)
    busy = {"invisible": invisible_N, "punctuation": western_N}
    if "nfkc" in steps:
        busy["nfkc"] = meet(*column, characters.unsettled(settings.keep))
    if "unwrap" in steps:
        busy["unwrap"] = wrapped(*column)
    return {name: (~busy_N).tolist() for name, busy_N in busy.items()}
