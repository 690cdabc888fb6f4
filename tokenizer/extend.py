"""The tokenizer stage: count units, learn tokens, prove the invariants, write the folder.

What is in the directory, written.py says.
"""

from __future__ import annotations

import logging

from configs.artifact import Artifact
from configs.progress import Progress
from configs.schema.run import Run
from tokenizer.base import Base
from tokenizer.counted import counted_units, unit_batches
from tokenizer.counted_terms import note_term_files
from tokenizer.curve import learned_curve
from tokenizer.extendable import Extendable, Extension
from tokenizer.learn_beside_terms import extend_with_terms, refuse_nothing_learned
from tokenizer.open import open_tokenizer
from tokenizer.recommend import Recommendation
from tokenizer.shown_texts import checked_texts, texts_by_language
from tokenizer.stage import tokenizer_plan
from tokenizer.terms import Terms
from tokenizer.written import Made, NewRows, write_extension

_log = logging.getLogger(__name__)


def extend_tokenizer(run: Run) -> Artifact:
    """Make the tokenizer of the run, or do what is missing of it.

    Raises:
        UserError: if the base has no tokenizer that can be extended, there is no text to learn from, or an
            invariant does not hold.
    """
    named = Base.of_tokenizer(run)
    named.pin()
    plan = tokenizer_plan(run)
    folder = named.folder_without_weights()
    base = open_tokenizer(folder)
    builder = plan.build()
    if builder.complete is not None:
        _log.info("%s is complete", plan.dir)
        return builder.complete
    corpus = Artifact.open(plan.upstream["corpus"])
    units = counted_units(run) if run.tokenizer.add else None
    with Progress("tokenizer: extend", 3, "steps") as progress:
        terms = None if units is None else Terms.read(units.dir)
        extension, choice = _learn(run, base, corpus, units, terms)
        progress.advance(1, "learned")
        made = Made(folder, base, extension, choice, terms, run.tokenizer.boundaries)
        made.refuse_broken(checked_texts(run, corpus), [] if units is None else unit_batches(units))
        progress.advance(1, "checked")
        files, texts = tokenizer_plan(run).raw["base"], texts_by_language(run, corpus)
        rows = NewRows(run.tokenizer.init, run.run.seed, lambda: [] if units is None else unit_batches(units))
        note_term_files(builder, run.tokenizer)
        artifact = write_extension(builder, made, rows, files, texts)
        progress.advance(1, "written")
    _log.info("%d new tokens; %s", len(extension.tokens), artifact.dir)
    return artifact


def _learn(
    run: Run, base: Extendable, corpus: Artifact, units: Artifact | None, terms: Terms | None
) -> tuple[Extension, Recommendation | None]:
    """The extension, and why it has so many tokens, where the run file leaves that open."""
    settings = run.tokenizer
    if units is None or settings.add == 0:
        return Extension.nothing(base), None
    if settings.add == "auto":
        curve = learned_curve(run, base, corpus, units)
        _log.info("tokenizer.add: %s", curve.recommendation.reason)
        return curve.extension.beginning(curve.recommendation.add), curve.recommendation
    extension = extend_with_terms(base, terms, unit_batches(units), settings.add, settings.min_count)
    refuse_nothing_learned(extension, settings, int(units.counts["characters"]))
    if len(extension.tokens) < settings.add:
        _log.warning(
            "only %d of %d tokens occur at least %d times; the others are not added",
            len(extension.tokens),
            settings.add,
            settings.min_count,
        )
    return extension, None
