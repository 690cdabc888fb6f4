"""Tokenizers of each kind compiled, where every part of them is known."""

from __future__ import annotations

from tokenizer.byte_bpe import ByteBpe
from tokenizer.compiled import Compiled
from tokenizer.compiled_bpe import CompiledBpe
from tokenizer.compiled_sp_bpe import CompiledSpBpe
from tokenizer.compiled_sp_unigram import CompiledSpUnigram
from tokenizer.extendable import Extendable
from tokenizer.sp_bpe import SpBpe
from tokenizer.sp_unigram import SpUnigram


def compiled(tokenizer: Extendable) -> Compiled | None:
    """The tokenizer compiled; none if the library must encode."""
    if isinstance(tokenizer, ByteBpe):
        return CompiledBpe.of(tokenizer)
    if isinstance(tokenizer, SpBpe):
        return CompiledSpBpe.of(tokenizer)
    if isinstance(tokenizer, SpUnigram):
        return CompiledSpUnigram.of(tokenizer)
    return None
