"""An extension that was made: proved, and written as the directory that training reads.

hf/                the extended tokenizer as Hugging Face files, and whatever else the base's folder had of it
new_rows.json      recipe of the embedding rows: for each new token the old tokens that used to spell it (recipe.py)
new_tokens.jsonl   the new tokens for people: id, text, count
fertility.json     characters per token by language, for a few numbers of new tokens
terms.jsonl        with term lists or found words: what became of each
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa

from configs.artifact import Artifact, Builder
from configs.atomic_file import canonical_json
from configs.changes import inputs_file
from configs.errors import UserError
from configs.raw_input import RawFile
from configs.schema.tokenizer import Boundaries, Init
from tokenizer.embed import RowsOf
from tokenizer.extendable import Extendable, Extension
from tokenizer.fertility import curve
from tokenizer.invariants import base_exceptions, check, check_units
from tokenizer.occurrences import occurrences
from tokenizer.recipe import NEW_ROWS, Recipe
from tokenizer.recommend import Recommendation
from tokenizer.reload import refuse_reloaded_otherwise
from tokenizer.term_tokens import with_terms
from tokenizer.terms import TERMS, Terms
from tokenizer.write import copy_tokenizer_files, hash_base_files


@dataclass(frozen=True)
class Made:
    """An extension of the tokenizer of a folder."""

    folder: Path
    base: Extendable
    extension: Extension
    choice: Recommendation | None
    """Why it has so many tokens; none where the user said how many."""
    terms: Terms | None = None
    """Those whose tokens come first."""
    boundaries: Boundaries = "morphemes"
    """What no token was learned across."""

    @cached_property
    def extended(self) -> Extendable:
        """The tokenizer with it."""
        return self.base.extended(self.extension)

    @property
    def invariants(self) -> str:
        """Those that were checked, for the manifest."""
        held = [name for name in self.extended.invariants if name != "I9" or self.boundaries == "morphemes"]
        off = "" if self.boundaries == "morphemes" else f"; I9 is off, boundaries were {self.boundaries}"
        return f"{' '.join(held)} hold{off}"

    def refuse_broken(self, texts: Iterable[str], units: Iterable[pa.RecordBatch]) -> None:
        """Raise a UserError if an invariant does not hold."""
        violations = check(self.base, self.extended, texts)
        # The tokens of terms stand in units as the base's own: they may cross morphemes.
        terms = Extension.nothing(self.base) if self.terms is None else self.terms.extension
        learned = self.extension.tokens[len(terms.tokens) :]
        if self.boundaries == "morphemes":
            violations += check_units(with_terms(self.base, terms), learned, units)
        if violations:
            told = "; ".join(f"{violation.invariant}: {violation.detail}" for violation in violations)
            raise UserError(
                f"{self.folder}: the extended tokenizer would break its promises, nothing was written: {told}"
            )


@dataclass(frozen=True)
class NewRows:
    """How the embedding rows of the new tokens begin."""

    init: Init
    seed: int
    units: Callable[[], Iterable[pa.RecordBatch]]
    """What was learned from."""


def write_extension(
    builder: Builder,
    made: Made,
    rows: NewRows,
    files: tuple[RawFile, ...] | str,
    texts: Mapping[str, Sequence[str]],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> Artifact:
    """Write all files of the directory, and finish it.

    Args:
        files: of the base, which are named with their digests.
        texts: by language, on which fertility is measured.
        more: that the manifest counts.
    """
    base, extension, extended = made.base, made.extension, made.extended
    shown = [text for some in texts.values() for text in some]
    copy_tokenizer_files(builder, made.folder, extended)
    refuse_reloaded_otherwise(builder.dir / "hf", extended, shown)
    points = curve(base, extension, texts)
    with builder.file(NEW_ROWS) as out:
        out.write(canonical_json(_recipe(rows, base, extension).to_json()))
    with builder.file("new_tokens.jsonl") as out:
        for number, (content, count) in enumerate(zip(extension.tokens, extension.counts, strict=True), base.size):
            line = {"id": number, "text": content.decode(errors="replace"), "count": count}
            out.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
    with builder.file("fertility.json") as out:
        out.write(canonical_json(points))
    with builder.file(inputs_file("base")) as out:
        out.write(hash_base_files(files))
    counts = {
        "new_tokens": len(extension.tokens),
        "vocabulary": extended.size,
        "chars_per_token": {
            language: {"base": points[0][language], "extended": points[-1][language]} for language in texts
        },
        "invariants": made.invariants,
        "base_exceptions": base_exceptions(base, shown),
        **more,
    }
    if made.terms is not None:
        with builder.file(TERMS) as out:
            out.write(made.terms.lines())
        counts["terms"] = made.terms.counts()
    if made.choice is not None:
        counts["choice"] = {"add": made.choice.add, "reason": made.choice.reason}
    return builder.finish(counts)


def _recipe(rows: NewRows, base: Extendable, extension: Extension) -> Recipe:
    init = rows.init
    spellings = [tuple(pieces) for pieces in _spellings(base, extension)]
    counted: list[Counter[tuple[int, ...]]] = [Counter() for _ in spellings]
    if spellings and "align" in (init.method, init.output_method):
        counted = occurrences(extension, spellings, rows.units())
    return Recipe(
        RowsOf(init.method, init.norm, 1.0, "input", rows.seed),
        RowsOf(init.output_method, init.output_norm, init.output_scale, "output", rows.seed),
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
