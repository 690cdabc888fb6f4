"""The tokenizer stage: count units, learn tokens, prove the invariants, write the folder.

hf/                the extended tokenizer as Hugging Face files, and whatever else the base's folder had of it
new_rows.json      recipe of the embedding rows: for each new token the old tokens that used to spell it (recipe.py)
new_tokens.jsonl   the new tokens for people: id, text, count
fertility.json     characters per token by language, for a few numbers of new tokens
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from configs.artifact import Artifact, Builder
from configs.atomic_file import canonical_json
from configs.changes import inputs_file
from configs.errors import UserError
from configs.progress import Progress
from configs.schema.run import Run
from tokenizer.base import Base
from tokenizer.counted import counted_units, unit_batches
from tokenizer.embed import RowsOf
from tokenizer.extendable import Extendable, Extension
from tokenizer.fertility import curve
from tokenizer.invariants import base_exceptions, check, check_units
from tokenizer.learn import extend
from tokenizer.occurrences import occurrences
from tokenizer.open import open_tokenizer
from tokenizer.recipe import NEW_ROWS, Recipe
from tokenizer.reload import refuse_reloaded_otherwise
from tokenizer.shown_texts import checked_texts, texts_by_language
from tokenizer.stage import tokenizer_plan
from tokenizer.write import copy_tokenizer_files, hash_base_files

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
        extension = _learn(run, units, base)
        progress.advance(1, "learned")
        extended = base.extended(extension)
        violations = check(base, extended, checked_texts(run, corpus))
        violations += check_units(base, extension.tokens, [] if units is None else unit_batches(units))
        if violations:
            told = "; ".join(f"{violation.invariant}: {violation.detail}" for violation in violations)
            raise UserError(f"{folder}: the extended tokenizer would break its promises, nothing was written: {told}")
        progress.advance(1, "checked")
        artifact = _write(run, builder, folder, base, extension, extended, texts_by_language(run, corpus))
        progress.advance(1, "written")
    _log.info("%d new tokens; %s", len(extension.tokens), artifact.dir)
    return artifact


def _learn(run: Run, units: Artifact | None, base: Extendable) -> Extension:
    settings = run.tokenizer
    if units is None:
        return Extension(base.size, (), (), ())
    extension = extend(base, unit_batches(units), settings.add, settings.min_count)
    if len(extension.tokens) < settings.add:
        _log.warning(
            "only %d of %d tokens occur at least %d times; the others are not added",
            len(extension.tokens),
            settings.add,
            settings.min_count,
        )
    return extension


def _write(
    run: Run,
    builder: Builder,
    folder: Path,
    base: Extendable,
    extension: Extension,
    extended: Extendable,
    texts: dict[str, list[str]],
) -> Artifact:
    copy_tokenizer_files(builder, folder, extended)
    refuse_reloaded_otherwise(builder.dir / "hf", extended, [text for some in texts.values() for text in some])
    recipe = _recipe(run, base, extension)
    points = curve(base, extension, texts)
    with builder.file(NEW_ROWS) as out:
        out.write(canonical_json(recipe.to_json()))
    with builder.file("new_tokens.jsonl") as out:
        for number, (content, count) in enumerate(zip(extension.tokens, extension.counts, strict=True), base.size):
            line = {"id": number, "text": content.decode(errors="replace"), "count": count}
            out.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
    with builder.file("fertility.json") as out:
        out.write(canonical_json(points))
    with builder.file(inputs_file("base")) as out:
        out.write(hash_base_files(tokenizer_plan(run).raw["base"]))
    counts = {
        "new_tokens": len(extension.tokens),
        "vocabulary": extended.size,
        "chars_per_token": {
            language: {"base": points[0][language], "extended": points[-1][language]} for language in texts
        },
        "invariants": f"{' '.join(extended.invariants)} hold",
        "base_exceptions": base_exceptions(base, [text for some in texts.values() for text in some]),
    }
    return builder.finish(counts)


def _recipe(run: Run, base: Extendable, extension: Extension) -> Recipe:
    init, seed = run.tokenizer.init, run.run.seed
    spellings = [tuple(pieces) for pieces in _spellings(base, extension)]
    counted: list[Counter[tuple[int, ...]]] = [Counter() for _ in spellings]
    if spellings and "align" in (init.method, init.output_method):
        counted = occurrences(extension, spellings, unit_batches(counted_units(run)))
    return Recipe(
        RowsOf(init.method, init.norm, 1.0, "input", seed),
        RowsOf(init.output_method, init.output_norm, init.output_scale, "output", seed),
        init.pad_to_multiple,
        base.size,
        tuple(
            ((counts.pop(built, 0), built), *((count, pieces) for pieces, count in sorted(counts.items())))
            for built, counts in zip(spellings, counted, strict=True)
        ),
    )


def _spellings(base: Extendable, extension: Extension) -> list[list[int]]:
    """For each new token the base's tokens that its first merge is made of, down to old ones; without one, its own."""
    merged = {merge.result for merge in extension.merges}
    spelled = {
        number: base.spelt(content)
        for number, content in enumerate(extension.tokens, start=base.size)
        if number not in merged
    }
    for merge in extension.merges:
        if merge.result not in spelled:
            parts: Sequence[int] = (merge.left, merge.right)
            spelled[merge.result] = [old for part in parts for old in spelled.get(part, [part])]
    return [spelled[number] for number in sorted(spelled)]
