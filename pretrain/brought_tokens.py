"""Token files that a user brings: read once from end to end before anything is trained on them, and never copied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.artifact import Claim
from configs.atomic_file import sha256_of
from configs.errors import UserError
from pretrain.indexed_tokens import IndexedTokens, Tokens
from pretrain.own_tokens import look_at

# About so many tokens are one shard: what is packed together.
_SHARD_TOKENS = 1_000_000_000
_CHUNK_TOKENS = 8_000_000


@dataclass(frozen=True)
class ReadArgument:
    """Some documents of a pair of files."""

    prefix: Path
    first: int
    end: int
    vocabulary: int
    """Tokens of the tokenizer that the run trains with."""
    end_token: int
    tokenizers: tuple[Path, ...] = ()
    """Folders of those that may have made them."""


def cut(
    source: str,
    prefix: Path,
    vocabulary: int,
    end_token: int,
    *,
    tokenizers: Sequence[Path] = (),
    shard_tokens: int = _SHARD_TOKENS,
) -> dict[str, tuple[ReadArgument, int]]:
    """The shards of a pair of files by name, each with its bytes.

    Raises:
        UserError: if a file is missing, of another format, or truncated.
    """
    opened = IndexedTokens(prefix)
    start_D1 = opened.starts()
    shards: dict[str, tuple[ReadArgument, int]] = {}
    first = 0
    while first < len(opened):
        end = int(np.searchsorted(start_D1, start_D1[first] + shard_tokens, side="left"))
        end = min(max(end, first + 1), len(opened))
        size = int(start_D1[end] - start_D1[first]) * opened.dtype.itemsize
        name = f"{source}-{len(shards):05d}"
        shards[name] = (ReadArgument(prefix, first, end, vocabulary, end_token, tuple(tokenizers)), size)
        first = end
    if int(start_D1[-1]) == 0:
        raise UserError(f"{prefix}.idx: has no tokens; take the source out of pretrain.token_sources")
    return shards


def read_shard(claim: Claim, argument: ReadArgument) -> dict[str, Any]:
    """Read every token of a shard.

    Returns:
        Counts: documents, tokens with the ends that are added, ends that are added, ends within documents; documents
        that were looked at and that came back; where the shard begins in the files; digest of tokens and lengths; the
        bytes that were read of the .bin.
    Raises:
        UserError: if a token is none of the tokenizer's, or there are gaps between documents.
    """
    opened = IndexedTokens(argument.prefix)
    if not opened.is_gapless(argument.first, argument.end):
        raise UserError(f"{argument.prefix}.idx: its sequences do not lie one after the other; write the files anew")
    start_D1 = opened.starts(argument.first, argument.end)
    length_N = np.diff(start_D1)
    first = at = int(start_D1[0])
    digest = hashlib.sha256()
    ends = 0
    for chunk in _chunks(opened, at, int(start_D1[-1])):
        wrong = np.flatnonzero((chunk < 0) | (chunk >= argument.vocabulary))
        if wrong.size:
            document = argument.first + int(np.searchsorted(start_D1, at + wrong[0], side="right")) - 1
            raise UserError(
                f"{argument.prefix}.bin: document {document} has the token {int(chunk[wrong[0]])}, the tokenizer has "
                f"{argument.vocabulary} (from 0 on); these files need the run's own tokenizer, or its base's"
            )
        ends += int((chunk == argument.end_token).sum())
        digest.update(np.ascontiguousarray(chunk).data)
        at += len(chunk)
    with_end_N = IndexedTokens(argument.prefix, argument.end_token).lengths(argument.first, argument.end)
    added = int((with_end_N - length_N).sum())
    return {
        "documents": len(length_N),
        "tokens": int(with_end_N.sum()),
        "first": argument.first,
        "ends_added": added,
        "ends_within": ends - int((length_N > 0).sum()) + added,
        **look_at(opened, argument.first, argument.end, argument.tokenizers),
        "sha256": hashlib.sha256(digest.digest() + length_N.tobytes()).hexdigest(),
        "read": {
            "start": first * opened.dtype.itemsize,
            "end": at * opened.dtype.itemsize,
            "sha256": digest.hexdigest(),
        },
    }


def _chunks(opened: IndexedTokens, first: int, end: int) -> Iterator[Tokens]:
    for at in range(first, end, _CHUNK_TOKENS):
        yield opened.stretch(at, min(at + _CHUNK_TOKENS, end))


def pieces(prefix: Path, shards: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What was read of the two files, for the artifact's list of its inputs."""
    for shard in shards:
        yield {"name": f"{prefix.name}.bin", **shard["read"]}
    index = prefix.with_name(f"{prefix.name}.idx")
    yield {"name": index.name, "start": 0, "end": index.stat().st_size, "sha256": sha256_of(index)}


def sizes(prefix: Path) -> dict[str, int]:
    """Bytes of the two files."""
    return {ending: prefix.with_name(f"{prefix.name}.{ending}").stat().st_size for ending in ("bin", "idx")}
