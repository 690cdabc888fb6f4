"""A record with named fields, as JSON lines, Parquet and datasets have them, is a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from configs.schema.corpus import Source
from corpus.batch import BatchBuilder
from corpus.read.source import Reading


def add_mapping(reading: Reading, builder: BatchBuilder, position: int, record: Any, encoding: str) -> None:
    """Add one record with named fields, or quarantine it if its text is missing or no text."""
    source = reading.source
    text = record.get(source.text_key) if isinstance(record, dict) else None
    if not isinstance(text, str):
        reading.put_aside(position, "no_text", f"the field {source.text_key!r} is missing or no text")
        return
    url = record.get("url") if isinstance(record.get("url"), str) else None
    meta = meta_of(record, source)
    sizes = [_utf8_bytes(one) for one in (text, url or "", meta or "")]
    if None in sizes:
        reading.put_aside(position, "undecodable", "a lone surrogate in the record")
        return
    size, limit = sizes[0] or 0, reading.limits.document_bytes
    if size > limit:
        reading.put_aside(position, "too_large", f"a text of {size} bytes, the limit is {limit}")
        return
    builder.add(text, position, encoding, url=url, meta=meta)


def meta_of(record: Mapping[str, Any], source: Source) -> str | None:
    """The fields of a record that are kept beside its text, as JSON; none if it has none of them."""
    found = {key: record[key] for key in source.meta_keys if key in record}
    return json.dumps(found, ensure_ascii=False, sort_keys=True, default=str) if found else None


def _utf8_bytes(text: str) -> int | None:
    """How many bytes a text is in UTF-8; none where it cannot be."""
    # JSON can spell half a character ("\\ud83d"), which no UTF-8 file can hold.
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
