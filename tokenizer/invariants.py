"""What must hold between a base tokenizer and its extension, checked on texts; numbers as in docs/tokenizer.md.

I1 old ids keep their bytes. I2 ASCII text keeps its ids. I3 text without a new token keeps its ids. I4 every cut of
the extension is a cut of the base, where tokens are joined by merges. I5 round trip as before. I6 every new token is
produced by its own text. I7 `tokenizer.model` and `tokenizer.json` agree wherever those of the base do. I8 new tokens
are valid UTF-8 or the beginning of one character, with a byte beyond ASCII. I9 each was learned inside a run that no
morpheme boundary cuts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from tokenizer.extendable import Extendable
from tokenizer.learn import unreached
from tokenizer.units import unpack_unit

PROBES = (
    "",
    " ",
    "The quick brown fox jumps over 13 lazy dogs.\n\tdef f(x): return x ** 2  # 100 %\n",
    "<|endoftext|> <s> [INST] </s>",
    "吾輩は猫である。名前はまだ無い。\n\n　ＴＰ－１２０のﾎﾟﾝﾌﾟ①を…‥点検！？",
    "か\u3099き\u3099 e\u0301 \u200b\ufeff 👨‍👩‍👧‍👦 𠮷野家 Ελληνικά العربية 한국어",
)
"""Texts that have tripped tokenizers up: empty, ASCII, special tokens as text, full width, combining marks, emoji."""

_EXCEPTIONS = (
    ("\u2581", "U+2581 becomes a space"),
    ("か\u3099", "combining marks are joined to their letters, as NFC does"),
    ("ＴＰ①", "full-width and other compatibility characters become plain ones, as NFKC does"),
    (" a", "a space before a text is lost"),
    ("a  b", "runs of spaces become one"),
    ("a\r\nb", "the ends of lines are changed"),
)
"""Texts that some bases do not give back, and what became of them."""


@dataclass(frozen=True)
class Violation:
    """An invariant that does not hold, and the first thing that shows it. Never holds text of a document."""

    invariant: str
    detail: str


def check(base: Extendable, extended: Extendable, texts: Iterable[str]) -> list[Violation]:
    """The first violation of each invariant, none if all hold on these texts and the probes."""
    # Ids of other programs' extensions may have holes.
    new = {number: content for number, content in extended.bytes_of.items() if number >= base.size}
    contents = list(new.values())
    found = [*_vocabulary(base, extended, new)]
    by_name: dict[str, Violation] = {}
    for number, text in enumerate((*PROBES, *texts)):
        for violation in _text(base, extended, text, contents, f"text {number} ({len(text)} characters)"):
            by_name.setdefault(violation.invariant, violation)
    return [*found, *by_name.values()]


def base_exceptions(base: Extendable, texts: Iterable[str]) -> dict[str, list[str]]:
    """Promises that the base itself does not keep, so that no extension can, each with what shows it."""
    found: dict[str, list[str]] = {}
    for probe, what in _EXCEPTIONS:
        if base.backend.decode(base.encode(probe), skip_special_tokens=False) != probe:
            found.setdefault("I5", []).append(what)
    around = [f"a{name}b" for name in _words_of_their_own(base)]
    unlike = [text for text in around if base.backend.decode(base.encode(text), skip_special_tokens=False) != text]
    if unlike:
        found.setdefault("I5", []).append(
            f"text that spells the added token {unlike[0][1:-1]} is decoded with other spaces"
        )
    tried = [*PROBES, *around, *texts]
    differ = sum(_files_disagree(base, text, base.encode(text)) for text in tried)
    if differ:
        found["I7"] = [f"tokenizer.model and tokenizer.json give {differ} of {len(tried)} texts different ids"]
    spelt = [name for name in _literals(base) if base.encode_as_loaded(name) != base.encode(name)]
    if spelt:
        found.setdefault("I5", []).append(
            f"text that spells {spelt[0]} becomes that token where others load it; here it stays text"
        )
    return found


def _literals(base: Extendable) -> list[str]:
    special = [token["content"] for token in base.definition.get("added_tokens", []) if token["special"]]
    return [*special, *(f"<0x{byte:02X}>" for byte in base.byte_of.values())]


def _words_of_their_own(base: Extendable) -> list[str]:
    """Added tokens that are found in text, unlike special ones; what comes after one begins like a new text."""
    return [token["content"] for token in base.definition.get("added_tokens", []) if not token["special"]]


def check_units(base: Extendable, tokens: Sequence[bytes], units: Iterable[pa.RecordBatch]) -> list[Violation]:
    """I9: every token stands inside a unit, which by construction no morpheme boundary cuts."""
    missing = set(tokens)
    for batch in units:
        for unit in batch.column("unit").to_pylist():
            # Tokens are made of whole tokens of the base; of each unit all such parts are looked up.
            contents = [base.bytes_of[number] for number in unpack_unit(unit)]
            for begin in range(len(contents)):
                missing.difference_update(itertools.accumulate(contents[begin:]))
        if not missing:
            break
    if not missing:
        return []
    return [Violation("I9", f"{len(missing)} new token(s) occur in no run between morpheme boundaries")]


def _vocabulary(base: Extendable, extended: Extendable, new: Mapping[int, bytes]) -> Iterable[Violation]:
    for number, content in base.bytes_of.items():
        if extended.bytes_of.get(number) != content:
            yield Violation("I1", f"id {number} has other bytes than in the base")
            break
    added = {token["id"]: token for token in base.definition.get("added_tokens", [])}
    if added != {token["id"]: token for token in extended.definition.get("added_tokens", [])}:
        yield Violation("I1", "the special and added tokens differ")
    dead = unreached(extended, new)
    if dead:
        yield Violation("I6", f"{len(dead)} new token(s) are never produced by their own text")
    for number, content in new.items():
        if not base.may_be_token(content):
            yield Violation("I8", f"id {number} is ASCII, or neither UTF-8 nor the beginning of one character")
            break


def _text(base: Extendable, extended: Extendable, text: str, new: Sequence[bytes], name: str) -> Iterable[Violation]:
    before, after = base.encode(text), extended.encode(text)
    if text.isascii() and before != after:
        yield Violation("I2", f"{name}: ASCII text has other ids")
    if before != after and not any(content in base.normalised(text).encode() for content in new):
        yield Violation("I3", f"{name}: no new token stands in it, and yet it has other ids")
    if _files_disagree(extended, text, after) and not _files_disagree(base, text, before):
        yield Violation("I7", f"{name}: tokenizer.model and tokenizer.json give it different ids, unlike the base's")
    if "I4" in extended.invariants and not cuts(extended, after) <= cuts(base, before):
        yield Violation("I4", f"{name}: cut where the base does not cut")
    if base.backend.decode(before, skip_special_tokens=False) != extended.backend.decode(
        after, skip_special_tokens=False
    ):
        yield Violation("I5", f"{name}: decodes to another text than with the base")


def _files_disagree(tokenizer: Extendable, text: str, ids: Sequence[int]) -> bool:
    other = tokenizer.encode_by_other_file(text)
    return other is not None and not tokenizer.same_cut(ids, other)


def cuts(tokenizer: Extendable, ids: Sequence[int]) -> set[int]:
    """Byte offsets at which tokens end."""
    at, found = 0, set()
    for number in ids:
        at += len(tokenizer.bytes_of[number])
        found.add(at)
    return found
