"""What a run makes the model forget: how much worse it predicts held-out text than the untouched base did.

Compared are bits per character, which do not depend on the tokenizer, with those of the base before the first step.
Light, without torch: reports ask too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.schema.guards import Forgetting
from pretrain.measured import by_language, measured_in


@dataclass(frozen=True)
class Excess:
    """More than a budget allows."""

    name: str
    """Source or language."""
    share: float
    budget: float

    def __str__(self) -> str:
        return f"{self.name} {self.share * 100:+.2f} % bits per character, budget {self.budget * 100:g} %"


def forgotten(metrics: Sequence[Mapping[str, Any]], language_of: Mapping[str, str]) -> dict[int, dict[str, float]]:
    """By step, for each source and each language: the share by which bits per character are above the base's.

    Less than 0 where the model predicts better than the base; the first step is 0, the grafted model before training.

    Args:
        metrics: lines of `metrics.jsonl`.
        language_of: of each source. A source that is called like a language goes before it.
    """
    evaluations = [line for line in metrics if line["kind"] == "evaluation"]
    base = next((line for line in evaluations if line["model"] == "base"), None)
    if base is None:
        return {}
    before = _bits(base, language_of)
    return {
        int(line["step"]): {name: bits / before[name] - 1 for name, bits in _bits(line, language_of).items()}
        for line in evaluations
        if line["model"] == "trained"
    }


def excesses(settings: Forgetting, shares: Mapping[str, float]) -> list[Excess]:
    """What is above its budget; a budget itself may be reached.

    >>> print(*excesses(Forgetting(budgets={"en": 0.02, "ja": 0.0}), {"en": 0.0201, "ja": 0.0}))
    en +2.01 % bits per character, budget 2 %
    """
    return [
        Excess(name, shares[name], budget)
        for name, budget in settings.budgets.items()
        if name in shares and shares[name] > budget
    ]


def _bits(line: Mapping[str, Any], language_of: Mapping[str, str]) -> dict[str, float]:
    sources = measured_in(line)
    everything = {**by_language(sources, language_of), **sources}
    return {name: one.bits_per_character for name, one in everything.items()}
