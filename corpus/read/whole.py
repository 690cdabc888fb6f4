"""Formats of which a file is one document: bytes in, a text out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from corpus.batch import Batch
from corpus.decode import UndecodableError
from corpus.read.source import Reading


@dataclass(frozen=True)
class Extracted:
    """The text of a file."""

    text: str
    encoding: str
    meta: Mapping[str, str] = field(default_factory=dict)


class UnreadableError(Exception):
    """A file that cannot be read; `reason` is one word, `detail` numbers and never text of it."""

    def __init__(self, reason: str, detail: str = "", position: int = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.position = reason, detail, position


Extract = Callable[[bytes, Reading], Extracted]


def whole(extract: Extract) -> Callable[[Reading], Iterator[Batch]]:
    """A reader that gives one document per file, or none and an entry in the quarantine."""

    def read(reading: Reading) -> Iterator[Batch]:
        content = reading.whole_file()
        if content is None:
            return
        found = attempt(extract, content, reading)
        if found is None:
            return
        builder = reading.builder()
        meta = json.dumps(dict(found.meta), ensure_ascii=False, sort_keys=True) if found.meta else None
        builder.add(found.text, 0, found.encoding, meta=meta)
        batch = builder.take()
        assert batch is not None
        yield batch

    return read


def attempt(extract: Extract, content: bytes, reading: Reading, position: int = 0) -> Extracted | None:
    """What `extract` makes of some bytes; None, and quarantined, if they cannot be read."""
    limit = reading.limits.document_bytes
    try:
        found = extract(content, reading)
        size = len(found.text.encode())
    except (UndecodableError, UnreadableError) as error:
        within = getattr(error, "position", 0)
        reading.put_aside(position + within, error.reason, error.detail)
        return None
    except UnicodeEncodeError:
        reading.put_aside(position, "undecodable", "a lone surrogate in the text")
        return None
    except MemoryError:
        raise
    except Exception as error:  # parsers of others, over damaged bytes, raise whatever they like
        reading.put_aside(position, "damaged", type(error).__name__)
        return None
    if size > limit:
        reading.put_aside(position, "too_large", f"a text of {size} bytes, corpus.limits.document_bytes is {limit}")
        return None
    return found
