"""The text of XML documents as office programs write them, in one pass and without a tree.

The libraries for these formats give paragraphs without their ruby (base text included), text boxes and notes, and build
trees of a hundred times the file. What differs between the formats is a table of element names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from corpus.read.whole import UnreadableError

_BLOCK = 1 << 16


@dataclass(frozen=True)
class Grammar:
    """What the elements of a format, by their names without prefix, mean for its text."""

    text: frozenset[str]
    """Their own characters are text; none stands for every element in a paragraph."""
    paragraphs: frozenset[str]
    """A line each; in a cell of a table, a space between them."""
    skipped: frozenset[str]
    """With everything in them: readings of ruby, what was deleted, second versions for older programs."""
    rows: frozenset[str] = frozenset()
    cells: frozenset[str] = frozenset()
    asides: frozenset[str] = frozenset()
    """Notes and text boxes: they stand in the middle of a sentence, and come after the paragraph."""
    marks: Mapping[str, str] = field(default_factory=dict)
    """Elements that stand for a character."""
    folds_blanks: bool = False
    """Whether several blanks or line ends are one space, as in HTML."""


class _Text:
    """Collects text as the parser goes."""

    def __init__(self, grammar: Grammar, limit: int) -> None:
        self.grammar, self.limit, self.length = grammar, limit, 0
        self.out: list[str] = []
        self.notes: list[list[str]] = []
        self.open: list[str] = []
        self.skipping = 0
        self.cells = 0
        self.paragraphs = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        name = tag.rsplit("\n", 1)[-1]
        grammar = self.grammar
        if self.skipping or name in grammar.skipped:
            self.skipping += 1
            return
        self.open.append(name)
        self.cells += name in grammar.cells
        self.paragraphs += name in grammar.paragraphs
        if name in grammar.asides:
            self.notes.append(self.out)
            self.out = []
        if (mark := grammar.marks.get(name)) is not None:
            count = attributes.get("urn:oasis:names:tc:opendocument:xmlns:text:1.0\nc", "1")
            self.put(mark * (min(int(count), 200) if count.isdigit() else 1))

    def end(self, tag: str) -> None:
        if self.skipping:
            self.skipping -= 1
            return
        name = self.open.pop()
        grammar = self.grammar
        self.cells -= name in grammar.cells
        self.paragraphs -= name in grammar.paragraphs
        if name in grammar.cells:
            self.close("\t")
        elif name in grammar.rows:
            self.close("\n" if not self.cells else " ")
        elif name in grammar.paragraphs:
            self.close(" " if self.cells else "\n")
        if name in grammar.asides:
            aside, self.out = self.out, self.notes.pop()
            # After the sentence that it stands in: the paragraph around it ends with it.
            self.out.append(_Aside("".join(aside).strip()))

    def close(self, end: str) -> None:
        """End a cell, row or paragraph."""
        while end != " " and self.out and self.out[-1] in (" ", "\t"):
            if end == "\t" and self.out[-1] == "\t":
                break
            self.out.pop()
        self.put(end)

    def characters(self, data: str) -> None:
        text = self.grammar.text
        if not self.skipping and (self.open and self.open[-1] in text if text else self.paragraphs):
            self.put(" ".join(data.replace("\n", " ").split(" ")) if self.grammar.folds_blanks else data)

    def put(self, text: str) -> None:
        self.length += len(text)
        if self.length > self.limit:
            raise UnreadableError("too_large", f"more than {self.limit} characters of text")
        self.out.append(text)


class _Aside(str):
    __slots__ = ()


def text_of(blocks: Iterable[bytes], grammar: Grammar, limit: int) -> str:
    """The text of one XML document.

    Args:
        limit: characters that it may have.
    Raises:
        UnreadableError: if it is no XML, longer than `limit`, or defines entities of its own.
    """
    collected = _Text(grammar, limit)
    _parse(blocks, collected)
    lines: list[str] = []
    line: list[str] = []
    asides: list[str] = []
    for part in collected.out:
        if isinstance(part, _Aside):
            asides.append(part)
        elif part == "\n":
            lines.append("".join(line).rstrip())
            lines += [aside for aside in asides if aside]
            line, asides = [], []
        else:
            line.append(part)
    lines += ["".join(line).rstrip(), *asides]
    return "\n".join(lines).strip("\n")


def _parse(blocks: Iterable[bytes], collected: _Text) -> None:
    parser = expat.ParserCreate(namespace_separator="\n")
    parser.StartElementHandler = collected.start
    parser.EndElementHandler = collected.end
    parser.CharacterDataHandler = collected.characters
    parser.EntityDeclHandler = _refuse_entity
    parser.buffer_text = True
    try:
        for block in blocks:
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise UnreadableError("damaged", f"XML breaks at byte {parser.ErrorByteIndex}: {error.code}") from None


def _refuse_entity(*_: object) -> None:
    raise UnreadableError("unsafe_xml", "it defines entities of its own")


def attributes_of(blocks: Iterable[bytes], name: str) -> Iterator[dict[str, str]]:
    """The attributes of each element of a name, their own names without prefix.

    Raises:
        UnreadableError: as `text_of`.
    """
    found: list[dict[str, str]] = []

    def start(tag: str, attributes: Mapping[str, str]) -> None:
        if tag.rsplit("\n", 1)[-1] == name:
            found.append(
                {
                    key.replace("http://schemas.openxmlformats.org/officeDocument/2006/relationships\n", "r:").rsplit(
                        "\n", 1
                    )[-1]: value
                    for key, value in attributes.items()
                }
            )

    parser = expat.ParserCreate(namespace_separator="\n")
    parser.StartElementHandler = start
    parser.EntityDeclHandler = _refuse_entity
    try:
        for block in blocks:
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise UnreadableError("damaged", f"XML breaks at byte {parser.ErrorByteIndex}: {error.code}") from None
    return iter(found)
