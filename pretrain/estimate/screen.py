"""The estimate for people."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from pretrain.estimate.build import Estimate, needs

_GIB = 2**30


def show(found: Estimate, console: Console | None = None) -> None:
    """Print what was estimated."""
    console = console or Console(highlight=False)
    rows = found["embedding_rows"]
    layout = found["layout"]
    console.print(f"[bold]{found['run']}[/]  {found['base']}", soft_wrap=True)
    console.print(f"{layout['nodes']} node(s) x {layout['processes']} process(es)  {layout['shown']}", soft_wrap=True)
    console.print(f"{found['parameters']:,} parameters; {rows['trained']:,} embedding rows (base {rows['base']:,})\n")
    if "memory" in found:
        console.print(_memory(found))
    console.print(_run(found))
    for problem in found["problems"]:
        console.print(f"[red]cannot be:[/] {problem}")
    _suggestion(found, console)


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(justify="right")
    table.add_column(style="dim")
    return table


def _memory(found: Estimate) -> Table:
    here = found["memory"]
    stage = f", pipeline stage {here['fullest_stage']}" if "pipeline" in found["layout"]["shown"] else ""
    table = _table(f"memory of the fullest GPU{stage}")
    notes = {"activations": "by formula, not calibrated on a GPU", "logits": "by formula"}
    for part, size in here["device"].items():
        table.add_row(part, f"{size / _GIB:,.1f} GiB", notes.get(part, ""))
    table.add_row("together", f"{here['device_bytes'] / _GIB:,.1f} GiB", _verdict(found))
    host = ", ".join(f"{part} {size / _GIB:,.1f}" for part, size in here["host"].items())
    told = f"per node, {_host_verdict(found)}{'; per process: ' * bool(host)}{host}"
    table.add_row("host memory", f"{here['host_bytes_per_node'] / _GIB:,.1f} GiB", told)
    return table


def _host_verdict(found: Estimate) -> str:
    if found["node_bytes"] is None:
        return "set slurm.memory_gib to have it compared"
    limit = f"slurm.memory_gib, {found['node_bytes'] / _GIB:,.0f}"
    if found["memory"]["host_bytes_per_node"] <= found["node_bytes"]:
        return f"[green]fits in {limit}[/], beside the programs themselves"
    return f"[red]more than {limit}[/]"


def _verdict(found: Estimate) -> str:
    if found["limit_bytes"] is None:
        return "no GPU named: --gpu NAME, or slurm.gpu in the run file, says whether it fits"
    limit = f"80 % of {found['gpu']}, {found['limit_bytes'] / _GIB:.1f} GiB"
    fits = found["memory"]["device_bytes"] <= found["limit_bytes"]
    return f"[green]fits in {limit}[/]" if fits else f"[red]more than {limit}[/]"


def _run(found: Estimate) -> Table:
    table = _table("run")
    table.add_row("steps", f"{found['steps']:,}", f"{found['tokens'] / 1e9:,.1f} G tokens, {found['flops']:.3g} FLOPs")
    saved = found["checkpoint"]
    table.add_row(
        "checkpoint",
        f"{saved['bytes'] / 1e9:,.1f} GB",
        f"{saved['seconds']:,.0f} s to write, {saved['count']} in all, up to {saved['disk_bytes'] / 1e9:,.0f} GB kept",
    )
    time: dict[str, Any] = found.get("time") or {}
    if time:
        table.add_row("time", _hours(time["seconds"]), _by(time))
        table.add_row("GPU hours", f"{time['gpu_hours']:,.0f}", _costs(time))
        table.add_row("jobs", "none" if found["jobs"] is None else str(found["jobs"]), "under slurm.time")
    return table


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h" if seconds < 48 * 3600 else f"{seconds / 86_400:,.1f} days"


def _by(time: dict[str, Any]) -> str:
    speed = f"{time['tokens_per_s']:,.0f} tokens/s"
    if time["by"] == "measured":
        return f"{speed}, as measured"
    low, high = map(_hours, time["seconds_range"])
    return f"{speed}, {time['utilisation']:.0%} of peak by {len(time['sources'])} published run(s): {low} to {high}"


def _costs(time: dict[str, Any]) -> str:
    words = [f"{time['kwh']:,.0f} kWh for the GPUs alone"] if "kwh" in time else []
    words += [f"cost {time['cost']:,.0f}"] if "cost" in time else []
    return ", ".join(words)


def _suggestion(found: Estimate, console: Console) -> None:
    if other := found.get("suggestion"):
        why = "fits" if other["speed_up"] is None else f"would be about {other['speed_up']:.2f} times as fast"
        console.print(f"\n[green]{why}:[/] {other['layout']} ({needs(other)})", soft_wrap=True)
    elif more := found.get("more_nodes"):
        console.print(
            f"\n[green]fits on {more['nodes']} nodes:[/] {more['layout']} ({needs(more)})",
            soft_wrap=True,
        )
