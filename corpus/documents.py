"""Reading a finished corpus: which shards hold what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from configs.artifact import Artifact
from configs.schema.corpus import Corpus
from corpus.shards import read_batches

Part = Literal["kept", "held_out"]


def shards_of(corpus: Artifact, part: Part, source: str) -> list[Path]:
    """The shards of one source, in order; their names are the source, a hyphen and five digits."""
    return [path for path in corpus.below(part) if path.stem.rsplit("-", 1)[0] == source]


def sources_in(settings: Corpus, languages: tuple[str, ...]) -> list[str]:
    """Names of the sources in some languages, in the order of the run file."""
    return [name for name, source in settings.sources.items() if source.language in languages]


def documents(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """Id and text of the documents of some shards, in order."""
    for batch in read_batches(paths, ["id", "text"]):
        yield from zip(batch.column("id").to_pylist(), batch.column("text").to_pylist(), strict=True)
