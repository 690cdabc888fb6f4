"""Whether one tokenizer is an extension of another that keeps the promises of docs/tokenizer.md; whoever made it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from configs.errors import UserError
from tokenizer.extendable import Extendable
from tokenizer.invariants import Violation, check
from tokenizer.told_beside import Crossing
from tokenizer.units import morpheme_cuts

# Where a token stands across morphemes wherever it stands, and that is so often, chance is no explanation.
_OCCURRENCES = 5


@dataclass
class Comparison:
    """What was found; the text of documents is not in it."""

    checked: tuple[str, ...]
    """Names of the invariants that were looked at."""
    violations: list[Violation]
    """The first of each."""
    not_checked: dict[str, str]
    """Why not, by name."""
    kind: str
    new_tokens: int
    texts: int


def compare(
    base: Extendable, extended: Extendable, texts: Iterable[str], may_cross: Crossing | None = None
) -> Comparison:
    """Check every invariant that can be without what the extension was learned from.

    Args:
        may_cross: what I9 is not asked of.
    Raises:
        UserError: if they are of different kinds, so that one cannot be an extension of the other.
    """
    if base.kind != extended.kind:
        raise UserError(
            f"{extended.where}: is {extended.kind}, {base.where} is {base.kind}; only tokenizers of one kind can be "
            "an extension of one another"
        )
    may_cross = may_cross or Crossing()
    crossing = _Crossing(base, extended, may_cross.tokens)
    read = _Counted(crossing.seen(texts))
    violations = check(base, extended, read)
    not_checked = {} if "I4" in extended.invariants else {"I4": f"{extended.kind} does not promise it"}
    if extended.encode_by_other_file("") is None:
        not_checked["I7"] = "there is one file to encode with, so nothing to agree with"
    if may_cross.all_tokens:
        not_checked["I9"] = "its boundaries were soft, as the manifest beside it says: tokens may cross morphemes"
    else:
        violations += crossing.violations()
    if crossing.judged == 0 and not may_cross.all_tokens:
        not_checked["I9"] = f"no new token occurs {_OCCURRENCES} times or more in the texts"
    names = tuple(f"I{k}" for k in range(1, 10) if f"I{k}" not in not_checked)
    new = sum(number >= base.size for number in extended.bytes_of)
    return Comparison(names, violations, not_checked, base.kind, new, read.number)


class _Counted:
    """Texts, counted as they go by."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts, self.number = texts, 0

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            self.number += 1
            yield text


class _Crossing:
    """I9 from outside: new tokens that always stand across a morpheme boundary were hardly learned between two."""

    def __init__(self, base: Extendable, extended: Extendable, may_cross: frozenset[int]) -> None:
        self._first, self._extended, self._may_cross = base.size, extended, may_cross
        self._inside: Counter[int] = Counter()
        self._across: Counter[int] = Counter()

    def seen(self, texts: Iterable[str]) -> Iterator[str]:
        """The texts, looked at on the way."""
        for text in texts:
            self._look(text)
            yield text

    def _look(self, text: str) -> None:
        ids = self._extended.encode(text)
        if max(ids, default=0) < self._first:
            return
        cuts, end = morpheme_cuts(self._extended.normalised(text)), 0
        for number in ids:
            start, end = end, end + len(self._extended.bytes_of[number])
            if number >= self._first and number not in self._may_cross:
                across = any(cut in cuts for cut in range(start + 1, end))
                (self._across if across else self._inside)[number] += 1

    @property
    def judged(self) -> int:
        """New tokens that occur often enough to tell."""
        met = {*self._inside, *self._across}
        return sum(self._inside[number] + self._across[number] >= _OCCURRENCES for number in met)

    def violations(self) -> list[Violation]:
        """The first new token that never stands between two boundaries, if there is one."""
        always = sorted(
            number for number, count in self._across.items() if count >= _OCCURRENCES and not self._inside[number]
        )
        if not always:
            return []
        return [
            Violation(
                "I9",
                f"{len(always)} new token(s) stand across a morpheme boundary wherever they stand; first id "
                f"{always[0]}",
            )
        ]
