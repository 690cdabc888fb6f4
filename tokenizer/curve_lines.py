"""The curve as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tokenizer.gain import Point
from tokenizer.recommend import Recommendation

_GROUP = 10


def curve_lines(
    points: Sequence[Point], recommendation: Recommendation, others: Mapping[str, Mapping[str, float | None]]
) -> list[str]:
    """A line for each number of tokens, then other tokenizers on the same texts, then the recommendation.

    Args:
        others: characters per token by name and group.
    """
    groups = list(points[0].chars_per_token)
    head = "".join(f"{group:>{_GROUP}}" for group in groups)
    lines = [
        f"{'':>10}{'characters per token':>{max(_GROUP * len(groups), 20)}}",
        f"{'new tokens':>10}{head}{'rows':>11}{'weights':>11}{'state':>11}{'seldom':>9}{'FLOPs saved':>13}",
    ]
    for point in points:
        figures = "".join(_ratio(point.chars_per_token[group]) for group in groups)
        lines.append(
            f"{point.new_tokens:>10,}{figures}{_whole(point.rows, 11)}{_bytes(point.weight_bytes)}"
            f"{_bytes(point.state_bytes)}{_whole(point.seldom_seen, 9)}{_share(point.flops_saved)}"
        )
    for name, measured in others.items():
        figures = "".join(_ratio(measured.get(group)) for group in groups)
        lines.append(f"{'':>10}{figures}  {name}")
    advice = "add no tokens" if recommendation.add == 0 else f"tokenizer.add: {recommendation.add}"
    return [*lines, f"{advice} ({recommendation.reason})"]


def _ratio(value: float | None) -> str:
    return f"{'-':>{_GROUP}}" if value is None else f"{value:>{_GROUP}.3f}"


def _whole(value: int | None, width: int) -> str:
    return f"{'-':>{width}}" if value is None else f"{value:>{width},}"


def _bytes(value: int | None) -> str:
    return f"{'-':>11}" if value is None else f"{value / 1e6:>8,.1f} MB"


def _share(value: float | None) -> str:
    return f"{'-':>13}" if value is None else f"{value:>13.1%}"
