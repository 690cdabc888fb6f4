"""Word documents: paragraphs, tables row by row, text boxes and notes; what was deleted under revision is not text."""

from __future__ import annotations

from corpus.read.markup import Grammar, text_of
from corpus.read.package import Package
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, whole

_GRAMMAR = Grammar(
    text=frozenset({"t"}),
    paragraphs=frozenset({"p"}),
    # rt: the reading above a word. Fallback: the same text box again, for older programs.
    skipped=frozenset({"rt", "del", "moveFrom", "Fallback", "instrText", "pPr", "rPr", "sectPr", "tblPr"}),
    rows=frozenset({"tr"}),
    cells=frozenset({"tc"}),
    asides=frozenset({"txbxContent"}),
    marks={"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"},
)
_NOTES = ("word/footnotes.xml", "word/endnotes.xml")


def extract(content: bytes, reading: Reading) -> Extracted:
    """The text of the document, then that of its notes; headers and footers of its pages are left out."""
    package = Package(content, reading)
    parts = ["word/document.xml", *(name for name in _NOTES if name in package.names())]
    texts = [text_of(package.blocks(part), _GRAMMAR, reading.limits.document_bytes) for part in parts]
    return Extracted("\n".join(text for text in texts if text), "utf-8")


FORMAT = Format("docx", ("docx", "docm"), whole(extract))
