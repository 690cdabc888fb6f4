"""The run as it was understood: every value, defaults included, and where it came from."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from configs.atomic_file import atomic_file
from configs.places import KeyPath, PlacedValues
from configs.schema.section import Section

RESOLVED = "resolved.yaml"
"""Written into the run directory; can itself be used as a run file."""

# What JSON may hold as it is and YAML must not, or takes for a line end.
_YAML_ONLY = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def write_resolved(section: Section, placed: PlacedValues, directory: Path) -> None:
    """Leave it in a run's directory."""
    with atomic_file(directory / RESOLVED) as out:
        out.write(("\n".join(resolved_lines(section, placed)) + "\n").encode())


def resolved_lines(section: Section, placed: PlacedValues) -> Iterator[str]:
    """YAML lines with the origin of each value: file and line, `--set`, or default."""
    yield from _lines(section, placed, ())


def _lines(value: Any, placed: PlacedValues, path: KeyPath) -> Iterator[str]:
    items = (
        [(name, getattr(value, name)) for name in type(value).model_fields]
        if isinstance(value, Section)
        else list(value.items())
    )
    indent = "  " * len(path)
    for key, item in items:
        here = (*path, key)
        if isinstance(item, Section) or (isinstance(item, dict) and item):
            yield f"{indent}{_scalar(key)}:"
            yield from _lines(item, placed, here)
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(item)}  # {_origin(placed, here)}"


def _scalar(value: Any) -> str:
    """JSON is YAML, and leaves no doubt about types."""
    if isinstance(value, str) and value.isascii() and value.isidentifier() and value not in ("null", "true", "false"):
        return value
    if value is None or isinstance(value, bool | int | float) or value == {}:
        return json.dumps(value)
    text = json.dumps(list(value) if isinstance(value, tuple) else str(value), ensure_ascii=False)
    return _YAML_ONLY.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _origin(placed: PlacedValues, path: KeyPath) -> str:
    known = placed.value_places.get(path)
    return _YAML_ONLY.sub(" ", str(known).replace("\n", " ")) if known is not None else "default"
