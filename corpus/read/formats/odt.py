"""OpenDocument texts."""

from __future__ import annotations

from corpus.read.markup import Grammar, text_of
from corpus.read.package import Package
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, whole

_GRAMMAR = Grammar(
    text=frozenset(),
    paragraphs=frozenset({"p", "h"}),
    skipped=frozenset({"ruby-text", "tracked-changes", "annotation", "note-citation", "page-number", "desc"}),
    rows=frozenset({"table-row"}),
    cells=frozenset({"table-cell", "covered-table-cell"}),
    asides=frozenset({"note", "frame"}),
    marks={"s": " ", "tab": "\t", "line-break": "\n"},
    folds_blanks=True,
)


def extract(content: bytes, reading: Reading) -> Extracted:
    """The text of the document, notes and text boxes after the paragraph that they belong to."""
    package = Package(content, reading)
    return Extracted(text_of(package.blocks("content.xml"), _GRAMMAR, reading.limits.document_bytes), "utf-8")


FORMAT = Format("odt", ("odt",), whole(extract))
