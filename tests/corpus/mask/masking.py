"""Masking one text with one kind, as the tests of kinds do."""

from __future__ import annotations

import pyarrow as pa

from corpus.mask.find import find_spans, replace_spans


def spans_of(text: str, *kinds: str) -> list[tuple[str, str]]:
    """Kind and words of what is found."""
    found = find_spans(pa.array([text], type=pa.large_string()), kinds).get(0, [])
    return [(span.kind, text[span.start : span.end]) for span in found]


def masked_alone(kind: str, text: str) -> tuple[str, int]:
    """The text with everything of a kind masked, and how much there was."""
    found = find_spans(pa.array([text], type=pa.large_string()), [kind]).get(0, [])
    return replace_spans(text, found), len(found)
