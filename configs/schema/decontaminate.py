"""The `corpus.decontaminate` section: what must not be in the text that is trained on."""

from __future__ import annotations

from pydantic import Field

from configs.schema.names import SourceName
from configs.schema.section import Section, rule


class EvaluationSet(Section):
    """Questions that measure the model later."""

    path: str
    """File, folder or glob of JSON lines (plain, gz, zst, xz) or Parquet."""
    fields: tuple[str, ...] = ("question", "sentence1", "sentence2", "premise", "hypothesis", "problem", "prompt")
    """Fields that are looked for, those of them that a record has; not answers, which are words of any text."""


class Decontaminate(Section):
    """A document that has most of an evaluation item goes; spaces, punctuation, case and width do not count."""

    sets: dict[SourceName, EvaluationSet] = Field(default_factory=dict)
    """Evaluation sets by name; the reason is `contaminated.` and the name."""
    ngram: int = Field(default=4, ge=3, le=32)
    """Characters of the pieces that are compared."""
    min_share: float = Field(default=0.7, gt=0, le=1)
    """A document has an item if it has at least this share of the item's different pieces, close to each other."""
    min_characters: int = Field(default=8, ge=3)
    """Shorter items, letters and digits counted, are not looked for: everyone writes them."""
    held_out: bool = True
    """Documents that hold most of a held-out document go too, as `contaminated.held_out`."""

    @rule("min_characters")
    def an_item_has_a_piece(self) -> str | None:
        if self.min_characters < self.ngram:
            return f"must be at least ngram ({self.ngram}), got {self.min_characters}"
        return None
