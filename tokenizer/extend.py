"""The tokenizer stage: count units, learn tokens, prove the invariants, write the folder.

hf/                the extended tokenizer as Hugging Face files, and whatever else the base's folder had of it
new_rows.json      recipe of the embedding rows: for each new token the old tokens that used to spell it
new_tokens.jsonl   the new tokens for people: id, text, count
fertility.json     characters per token by language, for a few numbers of new tokens
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from configs.artifact import TASKS, Artifact, Builder, Claim
from configs.atomic_file import canonical_json
from configs.changes import inputs_file
from configs.errors import UserError
from configs.progress import Progress
from configs.schema.run import Run
from corpus.documents import documents, shards_of, sources_in
from corpus.shards import ShardWriter
from corpus.tasks import run_phase
from tokenizer.base import Base
from tokenizer.extendable import Extendable, Extension
from tokenizer.fertility import curve
from tokenizer.invariants import base_exceptions, check, check_units
from tokenizer.learn import extend
from tokenizer.open import open_tokenizer
from tokenizer.reload import refuse_reloaded_otherwise
from tokenizer.stage import tokenizer_plan
from tokenizer.units import count_units, to_batch
from tokenizer.write import copy_tokenizer_files, hash_base_files

_log = logging.getLogger(__name__)

# Documents per source on which the invariants are checked and fertility is measured.
_CHECKED_DOCUMENTS = 200


@dataclass(frozen=True)
class CountArgument:
    """A shard to count units in."""

    shard: Path
    base: Path
    share: float
    """Share of the documents that are looked at, chosen by id."""


def count_shard(claim: Claim, argument: CountArgument) -> None:
    """Count the units of a shard into `.tasks/units/`."""
    base = open_tokenizer(argument.base)
    sampled = (text for id_, text in documents([argument.shard]) if int(id_[:13], 16) < argument.share * 16**13)
    with ShardWriter(claim, f"{TASKS}/units/{argument.shard.stem}.parquet") as writer:
        writer.add(to_batch(count_units(sampled, base)))


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
    if run.tokenizer.add:
        _count(run, builder, corpus, folder)
    with Progress("tokenizer: extend", 3, "steps") as progress:
        extension = _learn(run, builder, base)
        progress.advance(1, "learned")
        extended = base.extended(extension)
        samples = {source: _sample(corpus, source) for source in run.corpus.sources}
        violations = check(base, extended, [text for some in samples.values() for text in some])
        violations += check_units(base, extension.tokens, _unit_batches(builder))
        if violations:
            told = "; ".join(f"{violation.invariant}: {violation.detail}" for violation in violations)
            raise UserError(f"{folder}: the extended tokenizer would break its promises, nothing was written: {told}")
        progress.advance(1, "checked")
        artifact = _write(run, builder, folder, base, extension, extended, _held_out(run, corpus))
        progress.advance(1, "written")
    _log.info("%d new tokens; %s", len(extension.tokens), artifact.dir)
    return artifact


def _count(run: Run, builder: Builder, corpus: Artifact, folder: Path) -> None:
    settings = run.tokenizer
    shards = [path for name in sources_in(run.corpus, settings.languages) for path in shards_of(corpus, "kept", name)]
    kept = corpus.counts["kept"]
    total = sum(kept[name]["bytes"] for name in sources_in(run.corpus, settings.languages) if name in kept)
    if not total:
        raise UserError(
            f"tokenizer.languages: the corpus has no text in {', '.join(settings.languages)} to learn tokens from; "
            "set tokenizer.add=0 to keep the base's tokenizer"
        )
    share = min(1.0, settings.sample_bytes / total)
    arguments = {path.stem: (CountArgument(path, folder, share), path.stat().st_size) for path in shards}
    run_phase(builder, "units", count_shard, arguments, settings.workers)


def _learn(run: Run, builder: Builder, base: Extendable) -> Extension:
    settings = run.tokenizer
    if settings.add == 0:
        return Extension(base.size, (), (), ())
    extension = extend(base, _unit_batches(builder), settings.add, settings.min_count)
    if len(extension.tokens) < settings.add:
        _log.warning(
            "only %d of %d tokens occur at least %d times; the others are not added",
            len(extension.tokens),
            settings.add,
            settings.min_count,
        )
    return extension


def _unit_batches(builder: Builder) -> Iterator[Any]:
    for path in sorted((builder.dir / TASKS / "units").glob("*.parquet")):
        yield from pq.read_table(path).to_batches()


def _sample(corpus: Artifact, source: str) -> list[str]:
    texts = [text for _, text in documents(shards_of(corpus, "held_out", source))][:_CHECKED_DOCUMENTS]
    for _, text in documents(shards_of(corpus, "kept", source)):
        if len(texts) >= _CHECKED_DOCUMENTS:
            break
        texts.append(text)
    return texts


def _held_out(run: Run, corpus: Artifact) -> dict[str, list[str]]:
    """Texts by language on which fertility is measured: held-out ones, or any where nothing is held out."""
    texts: dict[str, list[str]] = {}
    for name, source in run.corpus.sources.items():
        held_out = [text for _, text in documents(shards_of(corpus, "held_out", name))][:_CHECKED_DOCUMENTS]
        texts.setdefault(source.language, []).extend(held_out or _sample(corpus, name))
    return texts


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
    recipe = {
        "method": run.tokenizer.init.method,
        "norm": run.tokenizer.init.norm,
        "pad_to_multiple": run.tokenizer.init.pad_to_multiple,
        "first_new_row": base.size,
        "spellings": _spellings(base, extension),
    }
    points = curve(base, extension, texts)
    with builder.file("new_rows.json") as out:
        out.write(canonical_json(recipe))
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
