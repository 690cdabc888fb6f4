"""Lists of in-house terms: text files with a term a line; # begins a remark, at the beginning or behind a space.

Messages name file and line, never the term: lists are in-house text.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.errors import UserError
from configs.raw_input import RawFile

LONGEST_TERM = 64
"""Characters; what is longer is a sentence, and each of its beginnings would take a token, too."""

_SHOWN = 10
# Not inside a term: C#言語.
_REMARK = re.compile(r"(?:^|\s)#.*")


@dataclass(frozen=True)
class ListedTerm:
    """A term, and where it stands."""

    text: str
    file: str
    line: int

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.file}:{self.line}"


def read_terms(files: Sequence[RawFile]) -> list[ListedTerm]:
    """The terms of some files, in their order.

    Raises:
        UserError: names every line, up to ten, that holds nothing a token could be made of; or a file without terms.
    """
    found: dict[str, ListedTerm] = {}
    problems: list[str] = []
    for file in files:
        before = len(found)
        for term in _terms_of(file.path):
            wrong = _wrong(term.text)
            if wrong is None and term.text in found:
                wrong = f"the term of {found[term.text].where} again; remove one"
            if wrong is None:
                found[term.text] = term
            else:
                problems.append(f"{term.where}: {wrong}")
        if len(found) == before and not problems:
            problems.append(f"{file.path}: has no terms; write one a line, or take the file off the list")
    if problems:
        more = "" if len(problems) <= _SHOWN else f"; and {len(problems) - _SHOWN} more"
        raise UserError(f"tokenizer.terms: {'; '.join(problems[:_SHOWN])}{more}")
    return list(found.values())


def _terms_of(path: Path) -> Iterator[ListedTerm]:
    try:
        # A mark of byte order is what some editors begin a file with, and no part of the first term.
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"tokenizer.terms: {path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else [], start=1):
        term = _REMARK.sub("", line).strip()
        if term or not _REMARK.search(line):
            yield ListedTerm(term, str(path), number)


def _wrong(term: str) -> str | None:
    """Why no token can be made of it, whatever the base and the text."""
    if not term:
        return "an empty line; remove it, or begin it with #"
    if len(term) > LONGEST_TERM:
        return f"{len(term)} characters, a term has at most {LONGEST_TERM}; list the words that it is made of"
    if any(character.isspace() or character == "\u2581" for character in term):
        return "a space in a term, which tokens do not cross; list the words around it"
    if any(unicodedata.category(character).startswith("C") for character in term):
        return "a control character or an unassigned one; remove it"
    if term.isascii():
        return "ASCII only, and text in ASCII keeps the ids of the base; remove it"
    return None
