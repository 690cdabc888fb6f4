"""The curve as a picture, the same bytes in every run."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.atomic_file import atomic_file
from configs.errors import UserError
from tokenizer.gain import Point

_ENDINGS = ("svg", "png")


def draw_curve(path: Path, points: Sequence[Point], add: int, others: Mapping[str, Mapping[str, float | None]]) -> None:
    """Draw characters per token by the number of new tokens; a line marks the number that is advised.

    Raises:
        UserError: if the file's ending is none of a picture.
    """
    refuse_other_pictures(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: Any = {"svg.hashsalt": "tsugiki", "svg.fonttype": "none", "axes.spines.top": False}
    with mpl.rc_context({**style, "axes.spines.right": False, "font.size": 9}):
        figure = Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for at, group in enumerate(points[0].chars_per_token):
            known = [(point.new_tokens, point.chars_per_token[group]) for point in points]
            line = axes.plot(*zip(*known, strict=True), marker="o", markersize=3, color=f"C{at}", label=group)
            for name, measured in others.items():
                if measured.get(group) is not None:
                    axes.axhline(measured[group] or 0.0, color=line[0].get_color(), linestyle=":", linewidth=1)
                    axes.annotate(name, (0, measured[group] or 0.0), fontsize=6, va="bottom")
        axes.axvline(add, color="0.6", linewidth=1)
        axes.set_xscale("symlog", linthresh=max(points[1].new_tokens, 1) if len(points) > 1 else 1)
        axes.set_xlabel("new tokens (grey: what is advised)")
        axes.set_ylabel("characters per token")
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        out = io.BytesIO()
        ending = path.suffix[1:]
        # A date or a version in the picture would change its bytes.
        figure.savefig(out, format=ending, metadata={"Date": None} if ending == "svg" else {"Software": None})
    with atomic_file(path) as file:
        file.write(out.getvalue())


def refuse_other_pictures(path: Path) -> None:
    """Raise a UserError if the file's ending is none of a picture; known before any work is done."""
    if path.suffix[1:] not in _ENDINGS:
        raise UserError(f"{path}: a picture ends in {' or '.join('.' + one for one in _ENDINGS)}")
