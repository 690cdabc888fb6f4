"""Documents of files and folders that a command names, without a run file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from configs.errors import UserError
from configs.raw_input import RawFile
from configs.schema.corpus import Limits, Source
from corpus.cut import Shard, cut
from corpus.named_files import named_files
from corpus.read.open import read
from corpus.read.source import Reading
from corpus.tally import Tally


def named_shards(
    paths: Sequence[str], language: str, text_key: str
) -> tuple[dict[str, Shard], dict[str, Source], dict[str, tuple[RawFile, ...]]]:
    """How the files are cut into tasks, how each source is read, and the files.

    Raises:
        UserError: if a path does not exist.
    """
    sources, raw = named_files(paths, Source(path="PATH", language=language, text_key=text_key))
    return {shard.key: shard for shard in cut(sources, raw, Limits().task_bytes)}, sources, raw


def documents_of(shard: Shard, source: Source, tally: Tally) -> Iterator[tuple[str, str]]:
    """Id and text of the documents of a shard, as they are; what cannot be read is put aside and counted."""
    for piece in shard.pieces:
        for batch in read(Reading(piece, source, Limits(), tally, {})):
            yield from zip(batch.column("id").to_pylist(), batch.column("text").to_pylist(), strict=True)


def named_texts(paths: Sequence[str], *, language: str = "ja", text_key: str = "text") -> Iterator[str]:
    """The texts of all files, in their order.

    Raises:
        UserError: if a path does not exist, or there is no text in any.
    """
    shards, sources, _ = named_shards(paths, language, text_key)
    tally, found = Tally(), False
    for shard in shards.values():
        for _, text in documents_of(shard, sources[shard.pieces[0].source], tally):
            found = True
            yield text
    if not found:
        reasons = ", ".join(sorted({one.reason for one in tally.quarantine})) or "no file has a document"
        raise UserError(f"--text: there is no text in {', '.join(paths)} ({reasons})")
