"""The results of a run on one screen."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

_COLUMNS = 120


def show(figures: Mapping[str, Any], samples: list[dict[str, str]]) -> None:
    """Print the results."""
    # A log file has no width; eighty columns would break paths that people copy.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _COLUMNS)
    console.print(_panel(figures, samples))


def draw(figures: Mapping[str, Any], samples: list[dict[str, str]]) -> str:
    """The same as a picture: an SVG text that fetches nothing."""
    console = Console(highlight=False, width=_COLUMNS, record=True, file=io.StringIO())
    console.print(_panel(figures, samples))
    svg = console.export_svg(title=f"tsugiki run  ({figures['run']})", unique_id="tsugiki")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def _panel(figures: Mapping[str, Any], samples: list[dict[str, str]]) -> Panel:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    dropped = sorted(figures["dropped"].items(), key=lambda item: (-item[1], item[0]))
    table.add_row("documents", f"{figures['documents_in']} in, {figures['documents_kept']} kept")
    table.add_row("dropped", ", ".join(f"{reason} {count}" for reason, count in dropped) or "none")
    table.add_row("masked", ", ".join(f"{kind} {count}" for kind, count in figures["masked"].items()) or "nothing")
    chars = figures["chars_per_token"]
    table.add_row(
        "characters per token",
        f"{chars['base']:.2f} -> {chars['extended']:.2f} with {figures['new_tokens']} new tokens",
    )
    for language, row in figures["bits_per_character"].items():
        change = (row["trained"] / row["base"] - 1) * 100
        table.add_row(
            f"bits per character, {language}", f"{row['base']:.3f} -> {row['trained']:.3f}  ({change:+.1f} %)"
        )
    table.add_row("trained", f"{figures['steps']} steps, {figures['tokens_trained']:,} tokens predicted")
    if figures["skipped_steps"]:
        table.add_row("skipped by guards", f"{figures['skipped_steps']} steps")
    for one in figures["rollbacks"]:
        first, last = one["steps"]
        table.add_row("rollback", f"steps {first} to {last} left out, {one['skipped_from']} to {last} were skipped")
    gate = "passed" if figures["gate_passed"] else "FAILED"
    table.add_row("export gate", f"{gate}, logits of transformers' reload within {figures['logits_max_abs_diff']:.1e}")
    for sample in samples:
        table.add_row("", "")
        table.add_row("prompt", sample["prompt"])
        table.add_row("  before", _one_line(sample["before"]))
        table.add_row("  after", _one_line(sample["after"]))
    table.add_row("", "")
    table.add_row("model", figures["hf_dir"])
    table.add_row("report", figures["report_html"])
    return Panel(table, title=f"tsugiki: {figures['run']}", expand=False)


def _one_line(text: str) -> str:
    return " ".join(text.split())
