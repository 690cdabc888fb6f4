"""A `tokenizer.json` read strictly: what the library passes over in silence is an error here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from configs.errors import UserError

BYTE_PIECES = {f"<0x{byte:02X}>": byte for byte in range(256)}
"""How SentencePiece writes the bytes of characters that it has no piece for."""


def read_definition(path: Path) -> dict[str, Any]:
    """Read a `tokenizer.json`.

    Raises:
        UserError: if it is damaged, has a piece twice, or has no model with a vocabulary.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise UserError(
                f"{path}: {twice!r} stands twice in one list of names (of {len(names)}), so that its id is not known; "
                "copy the base's file again"
            )
        return found

    try:
        definition = json.loads(path.read_text("utf-8"), object_pairs_hook=unique)
    except ValueError as error:
        raise UserError(f"{path}: damaged, not JSON: {error}") from error
    model = definition.get("model") if isinstance(definition, dict) else None
    if not isinstance(model, dict) or not isinstance(model.get("vocab"), dict | list):
        raise UserError(f"{path}: is no tokenizer.json of the tokenizers library: it has no model with a vocabulary")
    assert isinstance(definition, dict)
    return definition


def pieces_of(definition: dict[str, Any], where: str) -> dict[int, str]:
    """The model's pieces by id; ids may have holes, which stay holes.

    Raises:
        UserError: if two pieces share an id, or one piece has two.
    """
    vocab = definition["model"]["vocab"]
    if isinstance(vocab, list):
        numbered = [(number, piece) for number, (piece, _) in enumerate(vocab)]
    else:
        numbered = [(number, piece) for piece, number in vocab.items()]
    pieces: dict[int, str] = {}
    ids: dict[str, int] = {}
    for number, piece in numbered:
        if pieces.setdefault(number, piece) != piece:
            raise UserError(
                f"{where}: id {number} stands for {pieces[number]!r} and for {piece!r}; the file is damaged"
            )
        if ids.setdefault(piece, number) != number:
            raise UserError(f"{where}: piece {piece!r} has the ids {ids[piece]} and {number}; the file is damaged")
    return pieces


def refuse_without_merges(definition: dict[str, Any], where: str) -> None:
    """Raise a UserError if merges are missing from a BPE."""
    vocab, merges = definition["model"]["vocab"], definition["model"].get("merges")
    if merges is None:
        raise UserError(f"{where}: has no merges, without which BPE cannot encode; the file is incomplete")
    built = set()
    for rank, merge in enumerate(merges):
        left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
        unknown = next((piece for piece in (left, right, left + right) if piece not in vocab), None)
        if unknown is not None:
            raise UserError(f"{where}: merge {rank} speaks of {unknown!r}, which the vocabulary lacks; it is damaged")
        built.add(left + right)
    apart = BYTE_PIECES.keys() | {token["content"] for token in definition.get("added_tokens", [])}
    composed = [piece for piece in vocab if len(piece) > 1 and piece not in apart]
    # A few pieces that no merge builds are common, and harmless; half of them mean that merges were cut off.
    if 2 * len(built) < len(composed):
        raise UserError(
            f"{where}: its merges build only {len(built)} of {len(composed)} pieces that are longer than one symbol; "
            "the file is incomplete"
        )


def refuse_renumbered(definition: dict[str, Any], backend: Tokenizer, where: str) -> None:
    """Raise a UserError if the library gives an added token another id than the file does.

    It numbers those that the model's vocabulary lacks itself, from the number of pieces on.
    """
    for token in definition.get("added_tokens", []):
        loaded = backend.token_to_id(token["content"])
        if loaded != token["id"]:
            raise UserError(
                f"{where}: added token {token['content']!r} has id {token['id']}, but whoever loads the file gets "
                f"{loaded}, because the ids before it have a hole; give it its id in the model's vocabulary, too"
            )
