"""The curve of a run: what the tokens that can be learned from its corpus would bring, and which number to take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from configs.artifact import Artifact
from configs.schema.run import Run
from configs.schema.tokenizer import Boundaries
from tokenizer.base import Base
from tokenizer.base_shape import BaseShape
from tokenizer.budget import tokens_by_language
from tokenizer.counted import counted_units, unit_batches
from tokenizer.extendable import Extendable, Extension
from tokenizer.gain import Known, Point, points
from tokenizer.learn_beside_terms import at_least_terms, extend_with_terms, frequent_texts, nothing_learned
from tokenizer.open import open_tokenizer
from tokenizer.recommend import Recommendation, recommend
from tokenizer.shown_texts import texts_by_group
from tokenizer.stage import tokenizer_plan
from tokenizer.terms import Terms


@dataclass(frozen=True)
class Curve:
    """Points, and what they advise."""

    extension: Extension
    """Of as many tokens as were tried."""
    points: list[Point]
    recommendation: Recommendation
    characters: int
    """Of the text that was learned from."""
    boundaries: Boundaries
    """What no token was learned across."""

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        advice = {"add": self.recommendation.add, "reason": self.recommendation.reason}
        return {
            "recommendation": advice,
            "boundaries": self.boundaries,
            "characters_learned_from": self.characters,
            "points": [point.to_json() for point in self.points],
        }


def curve_of_run(run: Run) -> Curve:
    """Count the run's units, or find them counted, learn up to `tokenizer.auto.most` tokens, and measure.

    Raises:
        UserError: if the corpus is not finished, has no text to learn from, or the base cannot be extended.
    """
    named = Base.of_tokenizer(run)
    named.pin()
    base = open_tokenizer(named.folder_without_weights())
    corpus = Artifact.open(tokenizer_plan(run).upstream["corpus"])
    return learned_curve(run, base, corpus, counted_units(run))


def learned_curve(run: Run, base: Extendable, corpus: Artifact, units: Artifact) -> Curve:
    """The same from what is already open."""
    settings = run.tokenizer
    terms = Terms.read(units.dir)
    extension = extend_with_terms(base, terms, unit_batches(units), settings.auto.most, settings.min_count)
    known = Known(
        texts_by_group(run, corpus),
        settings.languages,
        frequent_texts(base, terms, unit_batches(units)),
        int(units.counts["characters"]),
        BaseShape.of(Base.of_model(run).config_folder()),
        tokens_by_language(run),
        settings.init.pad_to_multiple,
        settings.auto.seen,
    )
    found = points(base, extension, known)
    why_none = nothing_learned(extension, settings, known.characters)
    advice = at_least_terms(recommend(found, settings.auto), terms, why_none)
    return Curve(extension, found, advice, known.characters, settings.boundaries)
