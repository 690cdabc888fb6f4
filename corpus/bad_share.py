"""A source of which too much cannot be read is a mistake in the run file, or a broken copy: the run stops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from configs.errors import UserError
from corpus.tally import Tally, Unreadable

NOT_BAD = frozenset({"unknown_format", "empty", "no_page", "no_file"})
"""Reasons for which something is put aside although nothing is broken: pictures, empty files, pages not found."""

_SHOWN = 3
# Before a source is through, one task may tell: nobody waits a day to learn that text_key is wrong, and the quarantine
# is held in memory.
ENOUGH = 100_000
_MOST = 0.5


def refuse_bad_sources(tallies: Mapping[str, Tally], max_bad_share: float) -> None:
    """See that of every source enough could be read.

    Raises:
        UserError: if not, with the reasons and the first places.
    """
    for source, tally in tallies.items():
        _refuse(source, tally.counts["documents_read"], tally.quarantine, max_bad_share)


def refuse_bad_task(source: str, tally: Tally, max_bad_share: float) -> None:
    """The same for one task, at every hundred thousand records that it puts aside: are they most of it?

    Raises:
        UserError: if they are.
    """
    if len(tally.quarantine) % ENOUGH == 0:
        _refuse(source, tally.counts["documents_read"], tally.quarantine, max(_MOST, max_bad_share))


def _refuse(source: str, read: int, quarantine: Iterable[Unreadable], max_bad_share: float) -> None:
    bad = [one for one in quarantine if one.reason not in NOT_BAD]
    if len(bad) <= max_bad_share * (read + len(bad)):
        return
    reasons = Counter(one.reason for one in bad)
    counted = ", ".join(
        f"{reason} {count}" for reason, count in sorted(reasons.items(), key=lambda one: (-one[1], one))
    )
    first = "; ".join(f"{one.path} at {one.position}: {one.reason} ({one.detail})" for one in bad[:_SHOWN])
    raise UserError(
        f"corpus.sources.{source}: {len(bad)} of {read + len(bad)} records cannot be read ({counted}), "
        f"and corpus.limits.max_bad_share is {max_bad_share:g}; the first: {first}; mend the source or its keys, or "
        "raise the limit and run again, what was read is kept"
    )
