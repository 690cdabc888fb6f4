"""What the stage asks of a tokenizer, whichever of the three kinds it is, and what it adds to one.

The law that everything else stands on: the bytes of a text's ids, one after the other, are the text as the
tokenizer's own normaliser leaves it, `b"".join(bytes_of[id] for id in encode(text)) == normalised(text).encode()`.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from tokenizers import Tokenizer


@dataclass(frozen=True)
class Merge:
    """Two tokens that are joined to a third."""

    left: int
    right: int
    result: int


@dataclass(frozen=True)
class Extension:
    """Tokens to add, in the order of their ids, and the merges that build them."""

    first: int
    """Id of the first of them."""
    tokens: tuple[bytes, ...]
    merges: tuple[Merge, ...]
    counts: tuple[int, ...]
    """How often each token's first merge applied in the text it was learned from."""
    total: int = 0
    """Tokens of that text as the base cuts it; not needed where tokens are joined by merges."""
    scores: tuple[float, ...] = ()
    """Of the first tokens, as a Unigram has them; the others' come from their counts."""

    @classmethod
    def nothing(cls, base: Extendable) -> Extension:
        """The extension of a base by no token."""
        return cls(base.size, (), (), ())

    @property
    def numbered(self) -> dict[int, bytes]:
        """The tokens by id."""
        return dict(enumerate(self.tokens, start=self.first))

    def beginning(self, count: int) -> Extension:
        """The extension by the first tokens only: any beginning of an extension is one."""
        merges = tuple(merge for merge in self.merges if merge.result < self.first + count)
        return Extension(self.first, self.tokens[:count], merges, self.counts[:count], self.total, self.scores[:count])

    def without(self, contents: frozenset[bytes]) -> Extension:
        """The others, numbered anew; without merges, for kinds that have none."""
        kept = [k for k, content in enumerate(self.tokens) if content not in contents]
        tokens, counts = tuple(self.tokens[k] for k in kept), tuple(self.counts[k] for k in kept)
        return Extension(self.first, tokens, (), counts, self.total)


class Extendable(ABC):
    """A tokenizer that tokens can be added to.

    Args:
        definition: the content of `tokenizer.json`; taken over, do not change it afterwards.
        where: what messages call it.
    """

    kind: ClassVar[str]
    """What people call the kind."""
    invariants: ClassVar[tuple[str, ...]]
    """Which of the promises of docs/tokenizer.md hold for this kind."""
    joins: ClassVar[bool] = True
    """Whether a token is built by joining others, so that all on the way to it must be tokens, too."""

    def __init__(self, definition: dict[str, Any], where: str) -> None:
        self.definition = definition
        self.where = where
        self.added_ids = frozenset(token["id"] for token in definition.get("added_tokens", []))
        self.bytes_of = self._bytes_of()
        # Ids may have holes; new ones come after the last, so that no old id moves.
        self.size = max(self.bytes_of) + 1

    @abstractmethod
    def _bytes_of(self) -> dict[int, bytes]:
        """What each id stands for, added tokens included."""

    @abstractmethod
    def normalised(self, text: str) -> str:
        """The text as the tokenizer's own normaliser leaves it."""

    @abstractmethod
    def may_be_token(self, content: bytes) -> bool:
        """Whether a token with this content, which no old one has, would keep the promises of the kind."""

    @abstractmethod
    def extended(self, extension: Extension) -> Extendable:
        """The same tokenizer with tokens, numbered from `size` on."""

    @property
    def byte_of(self) -> Mapping[int, int]:
        """The byte that an id is for where a character is unknown; empty where all tokens are made of bytes."""
        return {}

    @property
    def other_files(self) -> Mapping[str, bytes]:
        """What the folder of such a tokenizer has beside `tokenizer.json`, by name."""
        return {}

    @property
    def settings(self) -> Mapping[str, Any]:
        """What `tokenizer_config.json` says where the base has none."""
        return {}

    def encode_as_loaded(self, text: str) -> list[int]:
        """Ids of a text by `tokenizer.json` as others load it, without special tokens."""
        return self.encode(text)

    def encode_by_other_file(self, text: str) -> list[int] | None:
        """Ids of a text by whatever else than `tokenizer.json` the folder has to encode with; none if nothing."""
        return None

    def same_cut(self, ids: Sequence[int], others: Sequence[int]) -> bool:
        """Whether two files of the tokenizer that gave a text these ids do the same, as far as numbers tell."""
        return ids == others

    def copied_definition(self) -> dict[str, Any]:
        """The definition with a model of its own, which the caller may change."""
        model = dict(self.definition["model"])
        model["vocab"] = model["vocab"].copy()
        if "merges" in model:
            model["merges"] = list(model["merges"])
        return {**self.definition, "model": model}

    def without_shortcut(self) -> Extendable:
        """The same for a token's text by itself: nothing put before it, nothing that hides how it is built."""
        return self

    def spelt(self, content: bytes) -> list[int]:
        """Ids of the text of a token by itself."""
        return self._plain.encode(content.decode())

    @cached_property
    def _plain(self) -> Extendable:
        return self.without_shortcut()

    @cached_property
    def backend(self) -> Tokenizer:
        """The `tokenizers` object; text that looks like a special token is encoded as text."""
        return self._read(self.definition)

    @staticmethod
    def _read(definition: dict[str, Any]) -> Tokenizer:
        backend = Tokenizer.from_str(json.dumps(definition, ensure_ascii=False))
        backend.encode_special_tokens = True
        return backend

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""
        ids: list[int] = self.backend.encode(text, add_special_tokens=False).ids
        return ids
