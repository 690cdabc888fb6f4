"""The `corpus.dedup` section: which documents are copies of others."""

from __future__ import annotations

from pydantic import Field

from configs.schema.section import Section, operational


class RepeatedLines(Section):
    """Lines, and paragraphs of lines, that many documents of a source share: letterheads, form footers, signatures."""

    min_documents: int = Field(default=5, ge=2)
    """A line or paragraph that stands in at least so many documents goes from all of them."""
    min_characters: int = Field(default=8, ge=1)
    """Shorter ones are never counted."""


class Dedup(Section):
    """Which documents are copies of others."""

    threshold: float = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of character 5-grams, with spaces or without, from which on a document is a near-duplicate."""
    bands: int = Field(default=32, ge=1, le=256)
    """Bands of the signature; more find more distant pairs."""
    rows: int = Field(default=8, ge=1, le=64)
    """Values per band."""
    lines: RepeatedLines | None = RepeatedLines()
    """Repeated lines and paragraphs; null keeps them."""
    against: tuple[str, ...] = ()
    """Directories of existing corpora, of which signatures are read: what resembles a document that they kept goes."""
    memory_gb: float = operational(4.0, gt=0)
    """Gigabytes that deduplication may take, all processes together. Less means more passes over the disk."""
