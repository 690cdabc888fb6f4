"""Whether tokens look as if a tokenizer at hand had made them: turned into text and encoded again, its own come back.

Those of another one do not, even where every id is in the vocabulary: what it cut apart is spelled by other pieces.
Measured with SmolLM2's tokenizer, Mistral's v1 and v3 and two extensions of the first, on 42 English and 33 Japanese
documents of up to 256 tokens: well-formed text came back whole under its own, at most one document in thirty under
another, and one Japanese one in seven under another extension or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pretrain.indexed_tokens import IndexedTokens
from tokenizer.extendable import Extendable
from tokenizer.open import open_tokenizer

_DOCUMENTS = 64
"""Looked at in each shard, evenly spaced."""
_FEWEST, _MOST = 64, 256
"""Tokens of a document that are looked at; shorter ones come back by chance."""
_EDGE = 8
"""Tokens at either end that need not come back: what is cut there may have been half a character."""
_FEWEST_DOCUMENTS = 8
"""With fewer nothing is said."""


def look_at(opened: IndexedTokens, first: int, end: int, folders: Sequence[Path]) -> dict[str, int]:
    """Try some of the documents [first, end) with the tokenizers of some folders.

    Returns:
        "looked_at": documents; "came_back": how many of them did, under the tokenizer under which most did.
    """
    tokenizers = [_as_loaded(folder) for folder in folders]
    special = {token["id"] for one in tokenizers for token in one.definition.get("added_tokens", [])}
    length_N = opened.lengths(first, end)
    long = np.flatnonzero(length_N >= _FEWEST)
    chosen = long[np.linspace(0, len(long) - 1, min(_DOCUMENTS, len(long)), dtype=np.int64)].tolist()
    begins = [opened.tokens(first + at, 0, min(int(length_N[at]), _MOST)).tolist() for at in chosen]
    texts = [_text(ids, special) for ids in begins]
    came_back = [sum(_comes_back(tokenizer, ids) for ids in texts) for tokenizer in tokenizers]
    return {"looked_at": len(texts), "came_back": max(came_back, default=0)}


def _as_loaded(folder: Path) -> Extendable:
    tokenizer = open_tokenizer(folder)
    tokenizer.backend.encode_special_tokens = False  # those that are turned into text are to come back, too
    return tokenizer


def _text(ids: Sequence[int], special: set[int]) -> Sequence[int]:
    """What stands between a special token and the next, as a document's text does; all, if that is little."""
    begin = next((at for at, one in enumerate(ids) if one not in special), 0)
    end = next((at for at in range(begin, len(ids)) if ids[at] in special), len(ids))
    return ids[begin:end] if end - begin >= _FEWEST // 2 else ids


def _comes_back(tokenizer: Extendable, ids: Sequence[int]) -> bool:
    if max(ids) >= tokenizer.size:
        return False
    again = tokenizer.encode(tokenizer.backend.decode(list(ids), skip_special_tokens=False))
    inner = list(ids[_EDGE:-_EDGE])
    return any(again[at : at + len(inner)] == inner for at in range(2 * _EDGE))


def suspicion(shards: Iterable[Mapping[str, int]]) -> str | None:
    """What to tell of a source whose documents do not come back; None if most do, or too few were looked at.

    Args:
        shards: what `look_at` found in each.
    """
    found = list(shards)
    looked_at, came_back = (sum(one[name] for one in found) for name in ("looked_at", "came_back"))
    if looked_at < _FEWEST_DOCUMENTS or 2 * came_back >= looked_at:
        return None
    return (
        f"of {looked_at} documents {came_back} come back when their tokens are turned into text and encoded again by "
        "the run's tokenizer or its base's"
    )
