"""What an extension gains and costs: characters per token on held-out text, speed of the proof, and of encoding."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures, best_seconds, figure
from benchmarks.text import japanese
from benchmarks.tokenizers_of import trained
from tokenizer.extendable import Extendable
from tokenizer.fertility import chars_per_token
from tokenizer.invariants import PROBES, check
from tokenizer.learn import extend
from tokenizer.open import tokenizer_of
from tokenizer.units import count_units, to_batch

_HELD_OUT = 200
_ENGLISH, _CODE = Path("README.md"), Path("tokenizer")


def extension_figures(megabytes: int = 4, new_tokens: int = 1000) -> Figures:
    """A tokenizer trained on English and a single Japanese text, and extended by others; measured on yet others."""
    texts = sorted(set(japanese(megabytes)))
    held_out, learned = texts[::5][:_HELD_OUT], [text for at, text in enumerate(texts) if at % 5]
    base = base_of(learned)
    extension = extend(base, [to_batch(count_units(learned, base))], new_tokens, 2)
    extended = base.extended(extension)
    groups = {"ja": held_out, "en": _english(), "code": _code()}
    figures = {f"tokenizer/chars_per_token_{name}": _gain(base, extended, some) for name, some in groups.items()}
    assert not check(base, extended, held_out)
    proof = best_seconds(lambda: check(base, extended, held_out), rounds=1)
    before, after = (best_seconds(partial(_encode, one, held_out)) for one in (base, extended))
    number = len(held_out) + len(PROBES)
    figures["tokenizer/checked"] = figure(number / proof, "texts/s", encoded_once=len(held_out) / after)
    figures["tokenizer/encode"] = figure(before / after, "of base", base=1.0)
    return figures


def base_of(texts: Sequence[str]) -> Extendable:
    """A base of Llama 3's layout that knows English, code, and the first of some Japanese texts."""
    return tokenizer_of(trained("llama3", [*_english(), *_code(), *texts[:1]]), "trained for the benchmark")


def _english() -> list[str]:
    return _ENGLISH.read_text().split("\n\n")


def _code() -> list[str]:
    return [path.read_text() for path in sorted(_CODE.glob("*.py"))]


def _gain(base: Extendable, extended: Extendable, texts: Sequence[str]) -> dict[str, Any]:
    return figure(chars_per_token(extended, texts) or 0.0, "characters", base=chars_per_token(base, texts) or 0.0)


def _encode(tokenizer: Extendable, texts: Sequence[str]) -> None:
    for text in texts:
        tokenizer.encode(text)
