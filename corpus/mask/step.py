"""Masking, in the text and in what goes with it, before anything is written.

Shapes: N documents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from configs.schema.mask import Action, Mask
from corpus.batch import Batch, with_column, with_rows
from corpus.mask.find import Span, find_spans, replace_spans
from corpus.mask.pseudonym import needs_key, pseudonym, read_key
from corpus.tally import Tally


def mask(batch: Batch, settings: Mask, tally: Tally) -> tuple[Batch, list[str | None]]:
    """Do with every kind of personal data what the settings say; counts each kind.

    Returns:
        The batch, and for every document why it goes, where a kind in it drops it.
    Raises:
        UserError: if pseudonyms are wanted and there is no key.
    """
    actions = {kind: action for kind, action in settings.actions().items() if action != "leave"}
    key = read_key(settings) if needs_key(settings) else b""
    reason_N: list[str | None] = [None] * batch.num_rows
    for name in ("text", "meta"):
        column = batch.column(name)
        texts = column if name == "text" else pc.fill_null(column.cast(pa.large_string()), "")
        spans = find_spans(texts, actions)
        if not spans:
            continue
        changed = []
        for row, found in spans.items():
            text = texts[row].as_py()
            changed.append(replace_spans(text, found, _words(text, found, actions, key)))
            for span in found:
                tally.add(f"masked.{span.kind}")
                if actions[span.kind] == "drop" and reason_N[row] is None:
                    reason_N[row] = f"holds_{span.kind}"
        batch = with_column(batch, name, with_rows(column, list(spans), changed))
    return batch, reason_N


def _words(text: str, spans: Sequence[Span], actions: Mapping[str, Action], key: bytes) -> list[str]:
    return [
        pseudonym(key, span.kind, text[span.start : span.end])
        if actions[span.kind] == "pseudonymise"
        else f"<{span.kind}>"
        for span in spans
    ]
