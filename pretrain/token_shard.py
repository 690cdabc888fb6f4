"""A token shard: documents of one pair of .bin/.idx files, of those we wrote or of those that a user brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.artifact import Artifact
from configs.errors import UserError
from pretrain.indexed_tokens import IndexedTokens, Int64


@dataclass(frozen=True)
class TokenShard:
    """Some consecutive documents of a pair of files."""

    name: str
    """Unique within a run: the source, a hyphen and five digits."""
    prefix: Path
    """Of the pair of files, without the ending."""
    documents: int
    first: int = 0
    """Number of the first of them in the files."""
    end: int | None = None
    """Token that is added to a document that does not end with it; none takes documents as they are."""

    def open(self) -> IndexedTokens:
        """The pair of files, mapped; documents have their numbers in the files."""
        return IndexedTokens(self.prefix, self.end)

    def lengths(self) -> Int64:
        """Tokens of each document of the shard."""
        return self.open().lengths(self.first, self.first + self.documents)


def shards_of(tokens: Artifact, source: str) -> list[TokenShard]:
    """The token shards of a source, in order."""
    counts: Mapping[str, Mapping[str, Any]] = tokens.counts["shards"]
    brought = tokens.counts.get("brought", {}).get(source)
    shards = []
    for name in sorted(name for name in counts if name.rsplit("-", 1)[0] == source):
        documents = counts[name]["documents"]
        if brought is None:
            shards.append(TokenShard(name, tokens.path(name), documents))
        else:
            end = tokens.counts["end"]
            shards.append(TokenShard(name, Path(brought["prefix"]), documents, counts[name]["first"], end))
    return shards


def shard_digests(tokens: Artifact, shard: str) -> list[str]:
    """Digests of what a shard holds."""
    brought = tokens.counts["shards"][shard].get("sha256")
    if brought is not None:
        return [brought]
    return [tokens.files[f"{shard}.{ending}"]["sha256"] for ending in ("bin", "idx")]


def refuse_changed(tokens: Artifact) -> None:
    """See that the files a user brought are still those that were read.

    Raises:
        UserError: if one is missing or of another size.
    """
    for brought in tokens.counts.get("brought", {}).values():
        prefix = Path(brought["prefix"])
        IndexedTokens(prefix)
        for ending, size in brought["bytes"].items():
            path = prefix.with_name(f"{prefix.name}.{ending}")
            if path.stat().st_size != size:
                raise UserError(
                    f"{path}: {path.stat().st_size} bytes, {size} when it was read; put it back, "
                    f"or remove {tokens.dir} and run the stage 'pack' again"
                )
