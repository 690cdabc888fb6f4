"""Whatever the `datasets` library loads, by name or by folder: a row is a document."""

from __future__ import annotations

from collections.abc import Iterator

from configs.errors import UserError
from corpus.batch import Batch
from corpus.read.jsonl import add_mapping
from corpus.read.source import Reading


def read_dataset(reading: Reading) -> Iterator[Batch]:
    """A document per row, streamed.

    Raises:
        UserError: if the library cannot load it: unknown name, no network, no such split.
    """
    import datasets

    source = reading.source
    assert source.dataset is not None
    builder = reading.builder()
    try:
        rows = datasets.load_dataset(source.dataset, source.dataset_config, split=source.split, streaming=True)
        for number, record in enumerate(rows):
            add_mapping(reading, builder, number, record, "utf-8")
            if builder.full and (batch := builder.take()) is not None:
                yield batch
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise UserError(
            f"corpus.sources.{reading.piece.source}.dataset: cannot load {source.dataset!r}, split {source.split!r}: "
            f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"
        ) from error
    if (batch := builder.take()) is not None:
        yield batch
