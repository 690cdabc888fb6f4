"""What a run would do, without doing it and without waiting for torch."""

from __future__ import annotations

from typing import Any

from configs.schema.run import Run
from tsugiki.stages import STAGES


def planned(run: Run) -> list[dict[str, Any]]:
    """For each stage its state, its directory, and its inputs with their bytes.

    Raises:
        UserError: if an input does not exist, or a directory holds the work of another run file.
    """
    table = []
    for stage in STAGES:
        plan = stage.plan(run)
        plan.check()
        inputs = [name if isinstance(raw, tuple) else f"{name} ({raw})" for name, raw in plan.raw.items()]
        table.append(
            {
                "stage": plan.name,
                "state": plan.state,
                "dir": str(plan.dir),
                "inputs": [*inputs, *(str(path) for path in plan.upstream.values())],
                "files": sum(len(raw) for raw in plan.raw.values() if isinstance(raw, tuple)),
                "input_bytes": plan.input_bytes,
            }
        )
    return table


def plan_lines(run: Run) -> list[str]:
    """The plan for people."""
    lines = []
    for row in planned(run):
        files = f"{row['files']:,} files, " if row["files"] else ""
        lines.append(f"{row['stage']:<10} {row['state']:<9} {files}{row['input_bytes'] / 1e6:,.1f} MB in")
        lines.append(f"{'':<10} {'':<9} {', '.join(row['inputs'])}")
        lines.append(f"{'':<10} {'':<9} -> {row['dir']}")
    return lines
