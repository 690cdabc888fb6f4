"""The tokenizer of a folder, as the kind that its files say it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from configs.atomic_file import read_json
from configs.errors import UserError
from tokenizer.byte_bpe import ByteBpe
from tokenizer.definition import read_definition, refuse_renumbered, refuse_without_merges
from tokenizer.extendable import Extendable
from tokenizer.sp_bpe import SpBpe
from tokenizer.sp_definition import definition_of
from tokenizer.sp_model import SpModel
from tokenizer.sp_tokenizer import SpTokenizer
from tokenizer.sp_unigram import SpUnigram

_KNOWN = "byte-level BPE, and SentencePiece BPE and Unigram with byte fallback, can be extended"
_MODELS = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")


def open_tokenizer(folder: Path) -> Extendable:
    """Read the tokenizer of a Hugging Face folder: `tokenizer.json`, a SentencePiece model, or both.

    Raises:
        UserError: if there is none, or none of a kind that can be extended; names what was found.
    """
    path = folder / "tokenizer.json"
    model_path = next((folder / name for name in _MODELS if (folder / name).exists()), None)
    if path.exists():
        return tokenizer_of(read_definition(path), str(path), model_path)
    if model_path is None:
        present = ", ".join(sorted(file.name for file in folder.glob("token*"))) or "no tokenizer file at all"
        raise UserError(
            f"{folder}: has no tokenizer.json and no tokenizer.model (found: {present}); "
            "copy the base's tokenizer files into the folder, or name one that has them in tokenizer.base"
        )
    model = SpModel.read(model_path)
    settings = folder / "tokenizer_config.json"
    definition = definition_of(model, read_json(settings) if settings.exists() else {})
    return _sentencepiece(definition, str(model_path), model)


def tokenizer_of(definition: dict[str, Any], where: str, model_path: Path | None = None) -> Extendable:
    """The tokenizer that a `tokenizer.json` describes.

    Args:
        model_path: the SentencePiece model beside it; other programs' files of that name are passed over where the
            kind has no use for one.
    Raises:
        UserError: if it is of a kind that cannot be extended; names it.
    """
    model = definition["model"]
    kind = model.get("type")
    if kind not in ("BPE", "Unigram"):
        raise UserError(f"{where}: holds a {kind} tokenizer; {_KNOWN}")
    if kind == "Unigram" and not model.get("byte_fallback"):
        raise UserError(f"{where}: holds a Unigram without byte fallback, which loses unknown characters; {_KNOWN}")
    if model.get("byte_fallback"):
        return _sentencepiece(definition, where, None if model_path is None else SpModel.read(model_path))
    if "ByteLevel" not in json.dumps(definition.get("pre_tokenizer")):
        raise UserError(f"{where}: holds a BPE that is neither byte-level nor has byte fallback; {_KNOWN}")
    refuse_without_merges(definition, where)
    tokenizer = ByteBpe(definition, where)
    refuse_renumbered(definition, tokenizer.backend, where)
    return tokenizer


def _sentencepiece(definition: dict[str, Any], where: str, model: SpModel | None) -> Extendable:
    tokenizer: SpTokenizer
    if definition["model"]["type"] == "BPE":
        refuse_without_merges(definition, where)
        tokenizer = SpBpe(definition, where, model)
    else:
        tokenizer = SpUnigram(definition, where, model)
    tokenizer.refuse_damaged()
    refuse_renumbered(definition, tokenizer.backend, where)
    return tokenizer
