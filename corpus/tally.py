"""What was counted on the way, and what could not be read; sums of tallies do not depend on how work was cut."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, order=True)
class Unreadable:
    """A file or record that was put aside."""

    source: str
    path: str
    position: int
    reason: str
    """One of a fixed few words, e.g. binary, truncated, not_utf8."""
    detail: str = ""
    """Numbers and byte offsets; never text of the document."""


@dataclass
class Tally:
    """Counts by name, and the quarantine."""

    counts: Counter[str] = field(default_factory=Counter)
    quarantine: list[Unreadable] = field(default_factory=list)

    def add(self, name: str, amount: int = 1) -> None:
        """Count; zero leaves no trace."""
        if amount:
            self.counts[name] += int(amount)

    def put_aside(self, unreadable: Unreadable) -> None:
        """Quarantine a file or record."""
        self.quarantine.append(unreadable)

    def merge(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.counts.update(other.counts)
        self.quarantine.extend(other.quarantine)

    def to_json(self) -> dict[str, Any]:
        """As plain data, for a task's marker."""
        return {"counts": dict(self.counts), "quarantine": [vars(one) for one in self.quarantine]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Tally:
        """Back from plain data."""
        return cls(Counter(data["counts"]), [Unreadable(**one) for one in data["quarantine"]])
