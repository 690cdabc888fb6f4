"""The `tokenizer.json` that says what a SentencePiece model does, for bases that have the model alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

from configs.errors import UserError
from tokenizer.sp_bpe import splits
from tokenizer.sp_model import CONTROL, NORMAL, UNKNOWN, USER_DEFINED, SpModel
from tokenizer.sp_tokenizer import SPACE


def definition_of(model: SpModel, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Say in the words of `tokenizer.json` what a model does.

    Args:
        settings: of `tokenizer_config.json`; `add_bos_token` says whether a text begins with <s>, which it does where
            nothing is said, as with Llama's.
    Raises:
        UserError: if it has a part that cannot be said exactly.
    """
    _refuse_unknown(model)
    unknown = model.types.index(UNKNOWN)
    if model.algorithm == "BPE":
        vocab = {piece: number for number, piece in enumerate(model.pieces)}
        core: Any = models.BPE(
            vocab=vocab,
            merges=_merges(model),
            unk_token=model.pieces[unknown],
            fuse_unk=True,
            byte_fallback=True,
        )
    else:
        scored = list(zip(model.pieces, model.scores, strict=True))
        core = models.Unigram(scored, unk_id=unknown, byte_fallback=True)
    tokenizer = Tokenizer(core)
    prefix = model.proto.normalizer_spec.add_dummy_prefix
    tokenizer.normalizer = normalizers.Sequence(
        [*([normalizers.Prepend(SPACE)] if prefix else []), normalizers.Replace(" ", SPACE)]
    )
    strip = [decoders.Strip(content=" ", left=1, right=0)] if prefix else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *strip]
    )
    tokenizer.add_tokens(
        [
            AddedToken(piece, special=kind != USER_DEFINED, normalized=False)
            for piece, kind in zip(model.pieces, model.types, strict=True)
            if kind in (UNKNOWN, CONTROL, USER_DEFINED)
        ]
    )
    begin = model.proto.trainer_spec.bos_id
    if begin >= 0 and settings.get("add_bos_token", True):
        token = model.pieces[begin]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{token} $A", pair=f"{token} $A {token}:1 $B:1", special_tokens=[(token, begin)]
        )
    definition: dict[str, Any] = json.loads(tokenizer.to_str())
    return definition


def _refuse_unknown(model: SpModel) -> None:
    spec = model.proto.normalizer_spec
    copy_it = "copy the base's tokenizer.json beside it"
    if model.algorithm not in ("BPE", "Unigram"):
        raise UserError(
            f"{model.where}: holds a SentencePiece {model.algorithm} model; BPE and Unigram can be extended"
        )
    if not model.byte_fallback:
        raise UserError(
            f"{model.where}: holds a SentencePiece {model.algorithm} without byte fallback, which loses the characters "
            "that it does not know; only those with byte fallback can be extended"
        )
    if spec.precompiled_charsmap or spec.remove_extra_whitespaces:
        raise UserError(
            f"{model.where}: normalises text (rule {spec.name!r}, extra spaces removed: "
            f"{str(spec.remove_extra_whitespaces).lower()}), which the file alone does not tell exactly; {copy_it}"
        )
    if not spec.escape_whitespaces or model.proto.trainer_spec.treat_whitespace_as_suffix:
        raise UserError(f"{model.where}: writes spaces otherwise than as {SPACE} before a word; {copy_it}")


def _merges(model: SpModel) -> list[tuple[str, str]]:
    """Merges in the order in which SentencePiece joins: by score, and longest first where scores are equal."""
    known = {
        piece: score
        for piece, score, kind in zip(model.pieces, model.scores, model.types, strict=True)
        if kind == NORMAL
    }
    ordered = sorted(known, key=lambda piece: (-known[piece], -len(piece)))
    return [split for piece in ordered for split in splits(piece, known)]
