"""What could not be read: a file of every directory that reading made, and lines about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from configs.artifact import Artifact, Builder
from corpus.tally import Tally

QUARANTINE = "quarantine.jsonl"


def write_quarantine(builder: Builder, tally: Tally) -> None:
    """Write what was put aside, one a line: source, path, position, reason and detail."""
    with builder.file(QUARANTINE) as out:
        for unreadable in tally.quarantine:
            out.write((json.dumps(vars(unreadable), ensure_ascii=False) + "\n").encode())


def put_aside(made: Artifact) -> list[dict[str, Any]]:
    """What was put aside for a directory, in the order of reading."""
    with open(made.path(QUARANTINE), encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def quarantine_lines(made: Artifact, *, sources: bool) -> Iterator[str]:
    """The same for people, without a line where there is nothing.

    Args:
        sources: whether the names of the sources say anything.
    """
    found = put_aside(made)
    if found:
        yield ""
        yield "put aside:"
    for one in found:
        source = f"{one['source']}: " if sources else ""
        at = f" at {one['position']}" if one["position"] else ""
        detail = f" ({one['detail']})" if one["detail"] else ""
        yield f"  {source}{one['path']}{at}: {one['reason']}{detail}"
