"""The pictures of the report, as SVG texts that are the same in every run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_INK, _BARK, _LEAF, _PALE = "#2b2b2b", "#8a5a3b", "#4f7f4f", "#b9b4a7"
_COLOURS = (_LEAF, _BARK, "#3f6a8a", "#9a4f6a", "#7a7a3a")
_WIDTH_IN, _HEIGHT_IN = 6.4, 2.9

# Text stays text, so that the page's own fonts draw it, Japanese included; ids do not depend on chance.
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "tsugiki",
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": _INK,
    "axes.edgecolor": _PALE,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def _draw(paint: Any, height_in: float = _HEIGHT_IN) -> str:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        paint(figure.add_subplot())
        out = io.StringIO()
        # A date in the picture would change its bytes every time.
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    svg = out.getvalue()
    return svg[svg.index("<svg") :]


def funnel(documents_in: int, dropped: Mapping[str, int], kept: int) -> str:
    """Documents in, what fell out at each reason, and what stayed."""
    rows = [("in", documents_in, _PALE)]
    rows += [(reason, count, _BARK) for reason, count in sorted(dropped.items(), key=lambda item: (-item[1], item[0]))]
    rows += [("kept", kept, _LEAF)]

    def paint(axes: Axes) -> None:
        names, counts, colours = zip(*reversed(rows), strict=True)
        bars = axes.barh(names, counts, color=colours)
        axes.bar_label(bars, padding=3)
        axes.set_xlabel("documents")

    return _draw(paint, 0.7 + 0.26 * len(rows))


def fertility(points: Sequence[Mapping[str, Any]]) -> str:
    """Characters per token by number of new tokens, for each language."""

    def paint(axes: Axes) -> None:
        languages = [name for name in points[0] if name != "new_tokens"]
        for language, colour in zip(languages, _COLOURS, strict=False):
            known = [point for point in points if point[language] is not None]
            axes.plot(
                [point["new_tokens"] for point in known],
                [point[language] for point in known],
                marker="o",
                markersize=3,
                color=colour,
                label=language,
            )
        axes.set_xlabel("new tokens")
        axes.set_ylabel("characters per token")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)

    return _draw(paint)


def loss(metrics: Sequence[Mapping[str, Any]], undone: Sequence[Mapping[str, Any]] = ()) -> str:
    """Training loss by tokens seen; what is left out is grey.

    Args:
        undone: lines of steps that a rollback has undone; pale dots.
    """
    steps = [line for line in metrics if line["kind"] == "step"]
    before = [line for line in undone if line["kind"] == "step"]

    def paint(axes: Axes) -> None:
        for line in (line for line in metrics if line["kind"] == "rollback"):
            axes.axvspan(*line["tokens"], color=_PALE, alpha=0.3, linewidth=0)
        if before:
            axes.plot([line["tokens"] for line in before], [line["loss_nats"] for line in before], ".", color=_PALE)
        axes.plot([line["tokens"] for line in steps], [line["loss_nats"] for line in steps], color=_LEAF)
        axes.set_xlabel("tokens")
        axes.set_ylabel("loss, nats per token")

    return _draw(paint)


def held_out(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Held-out bits per character of each source by step; the base as a dotted line."""
    evaluations = [line for line in metrics if line["kind"] == "evaluation"]
    grafted = [line for line in evaluations if line["model"] == "trained"]
    base = [line for line in evaluations if line["model"] == "base"]

    def paint(axes: Axes) -> None:
        sources = sorted({name for line in evaluations for name in line["sources"]})
        for source, colour in zip(sources, _COLOURS, strict=False):
            points = [(line["step"], line["sources"][source]["bits_per_character"]) for line in grafted]
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3, color=colour, label=source)
            for line in base:
                axes.axhline(line["sources"][source]["bits_per_character"], color=colour, linestyle=":", linewidth=1)
        axes.set_xlabel("step (dotted: the untouched base)")
        axes.set_ylabel("bits per character")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)

    return _draw(paint)


def forgetting(shares: Mapping[int, Mapping[str, float]], budgets: Mapping[str, float]) -> str:
    """Bits per character over those of the untouched base by step, in per cent; budgets as dotted lines.

    Args:
        shares: by step and name.
        budgets: of names that occur there.
    """

    def paint(axes: Axes) -> None:
        names = list(next(iter(shares.values())))
        axes.axhline(0, color=_PALE, linewidth=1)
        for name, colour in zip(names, _COLOURS, strict=False):
            points = [100 * share[name] for share in shares.values()]
            axes.plot(list(shares), points, marker="o", markersize=3, color=colour, label=name)
            if name in budgets:
                axes.axhline(100 * budgets[name], color=colour, linestyle=":", linewidth=1)
        axes.set_xlabel("step (dotted: the budget)")
        axes.set_ylabel("% over the untouched base")
        axes.legend(frameon=False)

    return _draw(paint)
