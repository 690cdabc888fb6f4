"""What the gate compares on: Japanese, English and code, what the run learned from, and every new token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pretrain.document_format import DocumentFormat
from pretrain.export_gate.comparison import Document

# Enough to show any difference, and quick.
_CHARACTERS, _TOKENS = 600, 512


@dataclass(frozen=True)
class GateTexts:
    """Texts, and the same and more as tokens."""

    texts: tuple[str, ...]
    documents: tuple[Document, ...]

    @classmethod
    def of(cls, texts: Sequence[str], form: DocumentFormat, first_new_row: int) -> GateTexts:
        """Texts that are cut to a length, and all tokens that the tokenizer got by extension.

        The new tokens are taken as they are: their spellings in a row would be encoded otherwise.
        """
        cut = tuple(text[:_CHARACTERS] for text in texts if text)
        ids = [*form.encode(cut), *_pieces(range(first_new_row, form.tokenizer.size))]
        return cls((*cut, *_spellings(form, first_new_row)), tuple(Document(one) for one in ids))


def _pieces(ids: Sequence[int]) -> list[list[int]]:
    return [list(ids[at : at + _TOKENS]) for at in range(0, len(ids), _TOKENS)]


def _spellings(form: DocumentFormat, first_new_row: int) -> list[str]:
    whole = [form.tokenizer.backend.decode(ids) for ids in _pieces(range(first_new_row, form.tokenizer.size))]
    return [text for text in whole if text]
