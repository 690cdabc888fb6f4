"""Archives: each member is read as a file of its own would be, within the archive's budget.

Nothing is unpacked to the disk, so a name cannot lead anywhere; names that try to are put aside all the same.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from corpus.batch import Batch
from corpus.decode import UndecodableError, decode
from corpus.read.budget import Budget, BudgetError
from corpus.read.compressed import BrokenStreamError
from corpus.read.open import read
from corpus.read.source import Reading

_UNSAFE = re.compile(r"(^|/)\.\.(/|$)|^/|^[A-Za-z]:|[\x00-\x1f\x7f]")
_MAX_NAME = 1000
# What systems put beside the files of people.
_SYSTEM = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\.)")


class Stream(Protocol):
    """What a member is read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Member:
    """A file in an archive."""

    name: str
    position: int
    """Where it stands in the archive, in bytes."""
    open: Callable[[], Stream]


class Counted(io.RawIOBase):
    """A member's bytes, counted as they are unpacked; a failure of the unpacker is a break of the stream.

    Raises:
        BudgetError: when more comes than the archive may give.
    """

    def __init__(self, stream: Stream, budget: Budget | None, failures: tuple[type[Exception], ...]) -> None:
        self._stream, self._budget, self._failures, self._at = stream, budget, failures, 0

    def read(self, size: int = -1) -> bytes:
        try:
            block = self._stream.read(size)
        except self._failures as error:
            raise BrokenStreamError(f"damaged at byte {self._at} of the member") from error
        if self._budget is not None:
            self._budget.take(len(block))
        self._at += len(block)
        return block

    def tell(self) -> int:
        return self._at


@contextmanager
def budget_of(reading: Reading, packed_bytes: int) -> Iterator[Budget]:
    """The budget of an archive, which an archive around it has to settle.

    Raises:
        BudgetError: if it is one level too deep.
    """
    if reading.budget is None:
        yield Budget.of(packed_bytes, reading.limits).level()
        return
    inner = reading.budget.level()
    try:
        yield inner
    finally:
        reading.budget.settle(inner)


def read_members(
    reading: Reading,
    members: Iterator[Member],
    budget: Budget,
    failures: tuple[type[Exception], ...],
    *,
    counted: bool = False,
) -> Iterator[Batch]:
    """The documents of the members, in their order in the archive.

    Args:
        failures: what the unpacker raises over damaged bytes.
        counted: whether the bytes of the members have been taken from the budget already.
    Raises:
        BudgetError: as soon as one thing is more than the archive may give; documents before it were given.
    """
    seen: set[str] = set()
    for member in members:
        try:
            budget.member()
            yield from _documents(reading, member, seen, budget, failures, counted)
        except BudgetError as error:
            error.position = member.position
            raise


def _documents(
    reading: Reading,
    member: Member,
    seen: set[str],
    budget: Budget,
    failures: tuple[type[Exception], ...],
    counted: bool,
) -> Iterator[Batch]:
    name = member.name.replace("\\", "/")
    problem = "unsafe_name" if len(name) > _MAX_NAME or _UNSAFE.search(name) else None
    # Two documents of one name would have one id.
    problem = problem or ("same_name" if name in seen else None)
    if problem is not None:
        reading.put_aside(member.position, problem, "a member of the archive")
        return
    if _SYSTEM.search(name):
        return
    seen.add(name)
    try:
        stream = member.open()
    except failures as error:
        reading.put_aside(member.position, "damaged", f"a member: {type(error).__name__}")
        return
    content: BinaryIO = Counted(stream, None if counted else budget, failures)  # type: ignore[assignment]  # reads and tells
    yield from read(reading.inside(name, content, budget))


def put_aside_rest(reading: Reading, error: BudgetError | BrokenStreamError) -> None:
    """Quarantine what follows in an archive."""
    if isinstance(error, BudgetError):
        reading.put_aside(error.position, "archive_limit", str(error))
    else:
        reading.put_aside(0, "damaged", str(error))


def decoded_name(raw: bytes) -> str:
    """A member's name; archives of Japanese Windows have CP932 ones.

    >>> decoded_name("議事録.txt".encode("cp932"))
    '議事録.txt'
    """
    try:
        return decode(raw).text if raw else ""
    except UndecodableError:
        return raw.decode("utf-8", "backslashreplace")
