"""Files of JSON lines in which a run writes down what it measured, step by step; read and written without torch.

`metrics.jsonl` is the same in every run: it has no times, so that a resumed run has the same bytes as an undisturbed
one. `speed.jsonl` has the times and the hosts, `samples.jsonl` what the model writes; nothing digests them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.atomic_file import atomic_file

METRICS, SPEED, SAMPLES = "metrics.jsonl", "speed.jsonl", "samples.jsonl"


def read_metrics(directory: Path, name: str = METRICS) -> list[dict[str, Any]]:
    """All lines of a run, none before it began; a last line that a kill left unfinished is passed over."""
    return read_lines(directory / name)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The same of any file of JSON lines; none where there is no file."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return lines


class MetricsFile:
    """Such a file, gone on with after an optimizer step.

    Args:
        step: last step that the checkpoint has seen; later lines of a killed attempt are cut off.
    """

    def __init__(self, directory: Path, name: str, step: int) -> None:
        path = directory / name
        self.kept = [line for line in read_metrics(directory, name) if line["step"] <= step]
        with atomic_file(path) as out:
            out.write("".join(map(to_line, self.kept)).encode())
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115  # closed by close

    def write(self, line: dict[str, Any]) -> None:
        """Add a line, which must have `kind` and `step`."""
        self._file.write(to_line(line))
        self._file.flush()

    def sync(self) -> None:
        """Bring every line to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """No line follows."""
        self._file.close()


def to_line(line: Mapping[str, Any]) -> str:
    """One line; a number that is none stays one, as Python's json writes it."""
    return json.dumps(line, sort_keys=True, allow_nan=True, ensure_ascii=False) + "\n"
