"""Deciding from measures alone: rules are data, and the first that fails takes the blame.

Shapes: N documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.errors import UserError
from configs.schema.preset import Preset, Rule
from corpus.kernels.utf8 import Float64
from corpus.measures import all as _all_measures  # noqa: F401  # importing makes them known
from corpus.measures.registry import Columns, known
from corpus.normalise.step import STEPS

Reasons = np.ndarray[Any, np.dtype[np.uint16]]

KEPT = 0
"""Reason code of a document that stays; rule k of a preset has code k + 1."""


def check_preset(preset: Preset, name: str) -> None:
    """Raise a UserError if the preset uses a step or a measure that does not exist."""
    for kind, used, existing in (
        ("step", preset.steps, tuple(STEPS)),
        ("measure", tuple(rule.measure for rule in preset.rules), known()),
    ):
        unknown = [word for word in used if word not in existing]
        if unknown:
            raise UserError(f"preset {name}: no {kind} {unknown[0]!r}; there are {', '.join(existing)}")


def failing(rule: Rule, values_N: Float64) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which documents a rule drops; one without a value (NaN) passes."""
    low = np.zeros(values_N.shape, np.bool_)
    with np.errstate(invalid="ignore"):
        if rule.min is not None:
            low |= values_N <= rule.min if rule.exclusive else values_N < rule.min
        if rule.max is not None:
            low |= values_N >= rule.max if rule.exclusive else values_N > rule.max
    return low


def decide(measures: Columns, rules: Sequence[Rule], languages: pa.StringArray) -> Reasons:
    """Reason code of every document.

    Returns:
        uint16, (N,): KEPT, or the number of the first rule that fails, from 1.
    """
    reason_N = np.zeros(len(languages), np.uint16)
    for code, rule in enumerate(rules, start=1):
        failed = failing(rule, measures[rule.measure]) & (reason_N == KEPT)
        if rule.languages:
            failed &= pc.is_in(languages, pa.array(rule.languages, pa.string())).to_numpy(zero_copy_only=False)
        reason_N[failed] = code
    return reason_N


def reason_words(reason_N: Reasons, rules: Sequence[Rule]) -> list[str | None]:
    """The words for reason codes; None for a document that stays."""
    words = [None, *(rule.reason for rule in rules)]
    return [words[code] for code in reason_N]
