"""What a model made of held-out text, as `metrics.jsonl` has it; light, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measured:
    """What a model makes of the held-out texts of a source."""

    nll_nats: float
    tokens: int
    characters: int
    bytes: int

    @property
    def bits_per_character(self) -> float:
        """Bits the model needs for a character."""
        return self.nll_nats / math.log(2) / self.characters

    @property
    def bits_per_byte(self) -> float:
        """Bits the model needs for a byte of UTF-8."""
        return self.nll_nats / math.log(2) / self.bytes

    def to_json(self) -> dict[str, float | int]:
        """For the metrics file."""
        return {
            "bits_per_character": self.bits_per_character,
            "bits_per_byte": self.bits_per_byte,
            "nll_nats": self.nll_nats,
            "tokens": self.tokens,
            "characters": self.characters,
            "bytes": self.bytes,
        }


def measured_in(line: Mapping[str, Any]) -> dict[str, Measured]:
    """By source, from the line of an evaluation."""
    return {
        source: Measured(one["nll_nats"], int(one["tokens"]), int(one["characters"]), int(one["bytes"]))
        for source, one in line["sources"].items()
    }


def by_language(measured: Mapping[str, Measured], language_of: Mapping[str, str]) -> dict[str, Measured]:
    """The sources of a language together."""
    totals: dict[str, Measured] = {}
    for source, one in measured.items():
        language = language_of[source]
        before = totals.get(language, Measured(0.0, 0, 0, 0))
        totals[language] = Measured(
            before.nll_nats + one.nll_nats,
            before.tokens + one.tokens,
            before.characters + one.characters,
            before.bytes + one.bytes,
        )
    return totals
