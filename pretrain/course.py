"""A source's way through its packings: lap after lap, never showing a token twice before all were shown once.

A lap goes once through a packing, in an order of its own. A source that a stage takes in sequences of another
length than the stage before does not begin again: what the epoch has left is packed to the new length (the rest),
and only after it come laps through the whole packing of that length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Packing:
    """What an order must know of a packing."""

    name: str
    sequences: int
    digest: str
    """Of tokens and packed index: another packing is another order."""


def whole_name(seq_len: int) -> str:
    """Name of the packing of a whole source."""
    return str(seq_len)


def rest_name(seq_len: int, stage: int) -> str:
    """Name of the packing of what an epoch had left when the stage of that number (from 0) began."""
    return f"{seq_len}-rest-{stage}"


@dataclass(frozen=True)
class Lap:
    """Once through a packing."""

    packing: Packing
    epoch: int
    first: int
    """Sequences of the source that the stage takes before this lap; below 0 where an earlier stage began the lap."""


@dataclass(frozen=True)
class Course:
    """Where a source stands when a stage begins, and what comes from there on."""

    whole: Packing
    rest: Packing | None = None
    """What an epoch had left when this length was first used."""
    epoch: int = 0
    """Of the first lap."""
    cursor: int = 0
    """Sequences of these laps that earlier stages took."""

    def at(self, taken: int) -> tuple[Packing, int, int]:
        """Packing, epoch, and place in the epoch's order, after the stage took `taken` sequences."""
        cursor, epoch = self.cursor + taken, self.epoch
        if self.rest is not None:
            if cursor < self.rest.sequences:
                return self.rest, epoch, cursor
            cursor, epoch = cursor - self.rest.sequences, epoch + 1
        laps, place = divmod(cursor, self.whole.sequences)
        return self.whole, epoch + laps, place

    def laps(self, taken: int) -> Iterator[Lap]:
        """The laps of which the stage takes something if it takes `taken` sequences."""
        at = 0
        while at < taken:
            packing, epoch, place = self.at(at)
            yield Lap(packing, epoch, at - place)
            at += packing.sequences - place

    def after(self, taken: int) -> Course:
        """Where the source stands when the stage took `taken` sequences."""
        return replace(self, cursor=self.cursor + taken)

    def left(self) -> tuple[Packing, int, int] | None:
        """Packing, epoch and place from which on an epoch is unfinished; None between two epochs."""
        packing, epoch, place = self.at(0)
        return (packing, epoch, place) if place or packing is self.rest else None

    def in_other_sequences(self, whole: Packing, rest: Packing | None) -> Course:
        """The way from here on in another length; `rest` is what is left, where something is."""
        _, epoch, _ = self.at(0)
        return Course(whole, rest, epoch)
