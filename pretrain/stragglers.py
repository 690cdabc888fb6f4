"""Ranks that hold the others up again and again.

One slow interval has many causes: a long document, another job's burst on the file system. What is slow several times
in a row is a matter of its node.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from configs.schema.pretrain import Log

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Straggler:
    """A rank that is slower than it may be."""

    rank: int
    host: str
    behind: float
    """By what share its own work takes longer than that of the rank in the middle of its stage, in this interval."""
    intervals: int
    """In a row in which it was too slow."""

    def to_json(self) -> dict[str, Any]:
        """For the line of the interval."""
        return asdict(self)


class Stragglers:
    """Counts for each rank how often in a row it was too slow."""

    def __init__(self, settings: Log, hosts: Sequence[str]) -> None:
        self._settings, self._hosts = settings, hosts
        self._in_a_row = [0] * len(hosts)

    def after(self, behind: Sequence[float]) -> list[Straggler]:
        """Those that are stragglers now, the slowest first; to be called once an interval.

        Args:
            behind: of each rank, by what share its own work takes longer than that of the one in the middle.
        """
        limit = self._settings.straggler
        self._in_a_row = [
            count + 1 if share > limit else 0 for count, share in zip(self._in_a_row, behind, strict=True)
        ]
        found = [
            Straggler(rank, self._hosts[rank], behind[rank], count)
            for rank, count in enumerate(self._in_a_row)
            if count >= self._settings.straggler_intervals
        ]
        return sorted(found, key=lambda one: (-one.behind, one.rank))

    def warn(self, found: Sequence[Straggler]) -> None:
        """Name them in the log: when they become stragglers, and each time that they were it as long again."""
        for one in found:
            if one.intervals % self._settings.straggler_intervals == 0:
                _log.warning(
                    "rank %d on %s takes %.0f %% longer than the rank in the middle for its own work, "
                    "%d interval(s) of measurement in a row; look at that node, or exclude it",
                    one.rank,
                    one.host,
                    one.behind * 100,
                    one.intervals,
                )
