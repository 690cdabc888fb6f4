"""Whatever the `datasets` library loads, by name or by folder: a row is a document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from configs.errors import UserError
from configs.hub import why_not
from configs.schema.corpus import Source
from corpus.batch import Batch
from corpus.read.records import add_mapping
from corpus.read.source import Reading
from corpus.stage import hub_name


def read_dataset(reading: Reading) -> Iterator[Batch]:
    """A document per row, streamed.

    Raises:
        UserError: if the library cannot load it: unknown name, no network, no such split.
    """
    name, builder = reading.piece.source, reading.builder()
    for number, record in enumerate(_told(name, reading.source, open_dataset(name, reading.source))):
        add_mapping(reading, builder, number, record, "utf-8")
        if builder.full and (batch := builder.take()) is not None:
            yield batch
    if (batch := builder.take()) is not None:
        yield batch


def open_dataset(name: str, source: Source) -> Iterable[Any]:
    """The rows of a source's dataset, of which none has been read.

    Args:
        name: of the source, for messages.
    Raises:
        UserError: if the library cannot load it, or it needs code of its own.
    """
    import datasets

    try:
        rows: Iterable[Any] = datasets.load_dataset(
            source.dataset, source.dataset_config, split=source.split, streaming=True, revision=source.revision
        )
    except RuntimeError as error:  # its word for a dataset that is a program
        raise UserError(
            f"{_cannot_load(name, source, error)}; code of a dataset is not run: convert it to Parquet or JSON lines, "
            "or try the hub's own conversion with revision: refs/convert/parquet"
        ) from error
    except _failures() as error:
        raise UserError(_why(name, source, error)) from error
    return rows


def _told(name: str, source: Source, rows: Iterable[Any]) -> Iterator[Any]:
    try:
        yield from rows
    except _failures() as error:
        raise UserError(_why(name, source, error)) from error


def _failures() -> tuple[type[Exception], ...]:
    from datasets.exceptions import DatasetsError
    from httpx2 import HTTPError

    return OSError, ValueError, DatasetsError, HTTPError


def _why(name: str, source: Source, error: Exception) -> str:
    from httpx2 import HTTPError

    named = hub_name(name, source)
    if named is not None and isinstance(error, HTTPError | ConnectionError):
        return why_not(named, error)
    return _cannot_load(name, source, error)


def _cannot_load(name: str, source: Source, error: Exception) -> str:
    reason = str(error).splitlines()[0] if str(error) else "no reason given"
    if type(error).__name__ == "DatasetNotFoundError":
        reason = f"{reason.removesuffix('.')}; if it is gated or private, log in with `hf auth login`, or set HF_TOKEN"
    return (
        f"corpus.sources.{name}.dataset: cannot load {source.dataset!r}, split {source.split!r}: "
        f"{type(error).__name__}: {reason}"
    )
