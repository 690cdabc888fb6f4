"""Masking, in the text and in what goes with it, before anything is written."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from configs.schema.corpus import Mask
from corpus.batch import Batch, with_column, with_text
from corpus.mask.email import mask_emails
from corpus.mask.phone import mask_phones
from corpus.tally import Tally

Masker = Callable[[str], tuple[str, int]]


def mask(batch: Batch, settings: Mask, tally: Tally) -> Batch:
    """Replace personal data by typed placeholders; counts each kind."""
    maskers: dict[str, Masker] = {}
    if settings.email == "mask":
        maskers["email"] = mask_emails
    if settings.phone == "mask":
        maskers["phone"] = mask_phones
    texts = [_masked(text, maskers, tally) for text in batch.column("text").to_pylist()]
    metas = [_masked(meta, maskers, tally) if meta else None for meta in batch.column("meta").to_pylist()]
    return with_column(with_text(batch, texts), "meta", pa.array(metas, type=pa.string()))


def _masked(text: str, maskers: dict[str, Masker], tally: Tally) -> str:
    for kind, masker in maskers.items():
        text, found = masker(text)
        tally.add(f"masked.{kind}", found)
    return text
