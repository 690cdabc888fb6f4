"""How many tokens to add, and why: the rule behind `add: auto`.

Compute hardly sets a bound: 8,000 rows are 0.4 % of the work of a token of an 8B model. What does is how often each new
row is trained, and that every doubling brings less than the one before.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from configs.schema.tokenizer import Auto
from tokenizer.gain import Point


@dataclass(frozen=True)
class Recommendation:
    """A number of new tokens."""

    add: int
    reason: str


def recommend(points: Sequence[Point], auto: Auto) -> Recommendation:
    """Go up the curve until a step is not worth it; none at all if the whole gain is small."""
    chosen, why = points[0], "nothing more could be learned"
    for before, point in itertools.pairwise(points):
        stop = _too_seldom(point, auto) or _too_little(before, point, auto)
        if stop is not None:
            why = stop
            break
        chosen = point
    gain = _gain(points[0], chosen)
    if chosen.new_tokens == 0:
        return Recommendation(0, f"keep the base's tokenizer: {why}")
    if gain < auto.min_gain:
        return Recommendation(
            0,
            f"keep the base's tokenizer: {chosen.new_tokens:,} new tokens would bring {gain:.1%} more characters per "
            f"token, less than tokenizer.auto.min_gain ({auto.min_gain:.0%})",
        )
    return Recommendation(
        chosen.new_tokens, f"{chosen.new_tokens:,} new tokens bring {gain:.1%} more characters per token; {why}"
    )


def _gain(before: Point, after: Point) -> float:
    """Share of characters per token that is won."""
    if not before.learned_chars_per_token or not after.learned_chars_per_token:
        return 0.0
    return after.learned_chars_per_token / before.learned_chars_per_token - 1


def _too_seldom(point: Point, auto: Auto) -> str | None:
    if point.seldom_seen is None or point.seldom_seen <= auto.max_seldom * point.new_tokens:
        return None
    return (
        f"of {point.new_tokens:,} tokens {point.seldom_seen:,} would be seen fewer than {auto.seen:,} times in "
        f"training, more than tokenizer.auto.max_seldom ({auto.max_seldom:.0%})"
    )


def _too_little(before: Point, point: Point, auto: Auto) -> str | None:
    if before.new_tokens == 0:
        return None
    doublings = math.log2(point.new_tokens / before.new_tokens)
    gain = (1 + _gain(before, point)) ** (1 / doublings) - 1
    if gain >= auto.min_doubling_gain:
        return None
    return (
        f"beyond {before.new_tokens:,} twice as many bring {gain:.1%}, less than tokenizer.auto.min_doubling_gain "
        f"({auto.min_doubling_gain:.1%})"
    )
