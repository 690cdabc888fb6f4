"""How much one archive may unpack, the archives in it included: a small file must not become a full disk or memory."""

from __future__ import annotations

from dataclasses import dataclass

from configs.schema.corpus import Limits

# Below this, a high ratio harms nobody: a form of blanks packs a thousand times.
_FREE_BYTES = 10_000_000


class BudgetError(Exception):
    """An archive is larger, deeper or of more members than its limit; says which."""

    position = 0
    """Of the member that was too much."""


@dataclass
class Budget:
    """What is left to one file of the source."""

    bytes_left: int
    members_left: int
    levels_left: int
    limits: Limits

    @classmethod
    def of(cls, packed_bytes: int, limits: Limits) -> Budget:
        """For an archive of so many bytes."""
        allowed = max(_FREE_BYTES, packed_bytes * limits.archive_ratio)
        return cls(min(allowed, limits.archive_bytes), limits.archive_members, limits.archive_depth, limits)

    def level(self) -> Budget:
        """This budget for an archive inside; what that one takes is not taken from here: see `settle`.

        Raises:
            BudgetError: if it is one level too many.
        """
        if self.levels_left <= 0:
            raise BudgetError(f"deeper than corpus.limits.archive_depth, {self.limits.archive_depth}")
        return Budget(self.bytes_left, self.members_left, self.levels_left - 1, self.limits)

    def settle(self, inner: Budget) -> None:
        """Take from this budget what an archive inside has taken."""
        self.bytes_left, self.members_left = inner.bytes_left, inner.members_left

    def member(self) -> None:
        """Count a member.

        Raises:
            BudgetError: if it is one too many.
        """
        self.members_left -= 1
        if self.members_left < 0:
            raise BudgetError(f"more members than corpus.limits.archive_members, {self.limits.archive_members}")

    def take(self, size: int) -> None:
        """Count unpacked bytes.

        Raises:
            BudgetError: if they are too many.
        """
        self.bytes_left -= size
        if self.bytes_left < 0:
            raise BudgetError(
                f"unpacks to more than corpus.limits allow: archive_bytes {self.limits.archive_bytes}, "
                f"archive_ratio {self.limits.archive_ratio}"
            )
