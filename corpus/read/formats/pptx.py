"""PowerPoint: the slides in their order, each followed by what the speaker notes say."""

from __future__ import annotations

import posixpath

from corpus.read.markup import Grammar, attributes_of, text_of
from corpus.read.package import Package, beside
from corpus.read.registry import Format
from corpus.read.source import Reading
from corpus.read.whole import Extracted, UnreadableError, whole

_GRAMMAR = Grammar(
    text=frozenset({"t"}),
    paragraphs=frozenset({"p"}),
    # fld: numbers and dates that every slide repeats.
    skipped=frozenset({"fld", "Fallback"}),
    rows=frozenset({"tr"}),
    cells=frozenset({"tc"}),
    marks={"br": "\n", "tab": "\t"},
)
_PRESENTATION = "ppt/presentation.xml"


def extract(content: bytes, reading: Reading) -> Extracted:
    """The text of all slides, a blank line between them."""
    package, limit = Package(content, reading), reading.limits.document_bytes
    targets = {one.get("Id"): one.get("Target", "") for one in _relations(package, _PRESENTATION)}
    slides, length = [], 0
    for slide in attributes_of(package.blocks(_PRESENTATION), "sldId"):
        part = beside(_PRESENTATION, targets.get(slide.get("r:id"), ""))
        texts = [text_of(package.blocks(name), _GRAMMAR, limit) for name in [part, *_notes(package, part)]]
        slides.append("\n".join(text for text in texts if text))
        length += len(slides[-1])
        if length > limit:  # one slide may be shown many times
            raise UnreadableError("too_large", f"more than {limit} characters of text")
    return Extracted("\n\n".join(slide for slide in slides if slide), "utf-8")


def _relations(package: Package, part: str) -> list[dict[str, str]]:
    folder, name = posixpath.split(part)
    where = f"{folder}/_rels/{name}.rels"
    return list(attributes_of(package.blocks(where), "Relationship")) if where in package.names() else []


def _notes(package: Package, slide: str) -> list[str]:
    found = [one for one in _relations(package, slide) if one.get("Type", "").endswith("/notesSlide")]
    return [beside(slide, one.get("Target", "")) for one in found]


FORMAT = Format("pptx", ("pptx", "pptm", "ppsx"), whole(extract))
