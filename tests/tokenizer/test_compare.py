"""Extensions that were made wrongly on purpose, as published recipes make them: each must be found."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from tests.tokenizer.conftest import ENGLISH, JAPANESE
from tests.tokenizer.sp_models import trained
from tokenizer.byte_alphabet import to_piece
from tokenizer.byte_bpe import ByteBpe
from tokenizer.compare import Comparison, compare
from tokenizer.learn import extend
from tokenizer.open import open_tokenizer
from tokenizer.sp_model import SpModel
from tokenizer.units import count_units, to_batch
from tsugiki.__main__ import main

TEXTS = [*JAPANESE, *ENGLISH]
Definition = dict[str, Any]


def folder_of(path: Path, definition: Definition) -> Path:
    path.mkdir()
    (path / "tokenizer.json").write_text(json.dumps(definition, ensure_ascii=False))
    return path


def broken(found: Comparison) -> set[str]:
    return {violation.invariant for violation in found.violations}


def test_an_extension_of_ours_keeps_everything_that_can_be_checked(base: ByteBpe) -> None:
    extended = base.extended(extend(base, [to_batch(count_units(JAPANESE, base))], 30, 2))
    found = compare(base, extended, TEXTS)
    assert found.violations == []
    assert found.checked == ("I1", "I2", "I3", "I4", "I5", "I6", "I8", "I9")
    assert found.not_checked == {"I7": "there is one file to encode with, so nothing to agree with"}
    assert (found.new_tokens, found.texts) == (extended.size - base.size, len(TEXTS))


def _as_added_tokens(definition: Definition) -> None:
    """Words by add_tokens: they are cut out before anything is merged."""
    first = 1 + max(definition["model"]["vocab"].values())
    for number, word in enumerate(["プの点", "る。", "the"], start=first):
        token = {"id": number, "content": word, "single_word": False, "lstrip": False, "rstrip": False}
        definition["added_tokens"].append({**token, "normalized": False, "special": False})


def _english_too(definition: Definition) -> None:
    """A merge of two tokens of an English word."""
    left, right = ByteBpe(definition, "x").encode(" diaphragm")[1:3]
    vocab, merges = definition["model"]["vocab"], definition["model"]["merges"]
    pieces = {number: piece for piece, number in vocab.items()}
    vocab[pieces[left] + pieces[right]] = 1 + max(vocab.values())
    merges.append([pieces[left], pieces[right]])


@pytest.mark.parametrize(
    ("spoil", "at_least"),
    [
        pytest.param(_as_added_tokens, {"I1", "I2", "I4"}, id="add_tokens"),
        pytest.param(_english_too, {"I2", "I8"}, id="ASCII tokens"),
    ],
)
def test_what_add_tokens_and_careless_merges_break_is_named(
    gpt2: ByteBpe, tmp_path: Path, spoil: Callable[[Definition], None], at_least: set[str]
) -> None:
    definition = gpt2.copied_definition()
    definition["added_tokens"] = list(definition["added_tokens"])
    spoil(definition)
    extended = open_tokenizer(folder_of(tmp_path / "extended", definition))
    assert at_least <= broken(compare(gpt2, extended, TEXTS))


def test_merges_appended_without_folding_the_added_tokens_are_refused_when_opened(tmp_path: Path) -> None:
    """Llama 3's special tokens are not in the model's vocabulary: on load they take the ids of the new tokens."""
    from tests.tokenizer.conftest import LAYOUTS

    definition = LAYOUTS["llama3: ignore_merges, specials outside"]()
    first = 1 + max(token["id"] for token in definition["added_tokens"])
    pieces = [to_piece(content) for content in ("点".encode()[:2], "点".encode())]
    for number, piece in enumerate(pieces, start=first):
        definition["model"]["vocab"].setdefault(piece, number)
    last = to_piece("点".encode())
    definition["model"]["merges"] += [[last[0], last[1]], [pieces[0], last[2]]]
    with pytest.raises(UserError, match=r"<\|endoftext\|>"):
        open_tokenizer(folder_of(tmp_path / "extended", definition))


def _sp_folder(path: Path, model: SpModel) -> Path:
    path.mkdir()
    (path / "tokenizer.model").write_bytes(model.serialised())
    return path


def _scored(score: Callable[[int], float]) -> SpModel:
    """New pieces of one's own scores: characters first, as they must be."""
    model = trained("bpe")
    words = [
        "点検",
        "ポンプ",
        "弁を",
        "定量",
        "結果",
        "記入",
        "品質",
        "保証",
        "電源",
        "切り",
        "会議",
        "um",
        "mp",
        "lv",
        "iq",
    ]
    characters = dict.fromkeys("".join(words[:11]))
    fresh = [piece for piece in [*characters, *words] if piece not in model.pieces]
    return model.extended([(piece, score(at), 1) for at, piece in enumerate(fresh)])


def test_score_0_is_found(tmp_path: Path) -> None:
    """Chinese-LLaMA's merged model: new pieces come before all old ones, in English too."""
    base = open_tokenizer(_sp_folder(tmp_path / "base", trained("bpe")))
    extended = open_tokenizer(_sp_folder(tmp_path / "extended", _scored(lambda at: 0.0)))
    assert {"I2", "I4"} <= broken(compare(base, extended, TEXTS))


def test_scores_that_are_all_the_same_are_found(tmp_path: Path) -> None:
    """min(scores) - 1 where pieces of whitespace stand at -1e9: in float32 that is one score for all."""
    model = _scored(lambda at: -1e9 - 1 - at)
    base = open_tokenizer(_sp_folder(tmp_path / "base", trained("bpe")))
    extended = open_tokenizer(_sp_folder(tmp_path / "extended", model))
    assert broken(compare(base, extended, TEXTS))


def test_a_token_that_always_stands_across_morphemes_is_named(gpt2: ByteBpe) -> None:
    whole = gpt2.encode("を記")
    definition = gpt2.copied_definition()
    vocab, merges = definition["model"]["vocab"], definition["model"]["merges"]
    pieces = {number: piece for piece, number in vocab.items()}
    built = pieces[whole[0]]
    for number in whole[1:]:
        merges.append([built, pieces[number]])
        built += pieces[number]
        vocab.setdefault(built, 1 + max(vocab.values()))
    found = compare(gpt2, ByteBpe(definition, "crossing"), ["結果を記入します。"] * 5)
    assert found.violations[-1].invariant == "I9"
    # By its id: it may be a word that nobody outside shall read.
    assert found.violations[-1].detail.endswith(f"wherever they stand; first id {vocab[built]}")
    seldom = compare(gpt2, ByteBpe(definition, "crossing"), ["結果を記入します。"] * 4)
    assert seldom.not_checked["I9"] == "no new token occurs 5 times or more in the texts"


def test_tokenizers_of_different_kinds_cannot_be_compared(gpt2: ByteBpe, tmp_path: Path) -> None:
    other = open_tokenizer(_sp_folder(tmp_path / "other", trained("bpe")))
    with pytest.raises(UserError, match=r"is SentencePiece BPE.*, the base of a test is byte-level BPE; only"):
        compare(gpt2, other, TEXTS)


def test_the_command_exits_with_1_and_never_prints_text(
    gpt2: ByteBpe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    definition = gpt2.copied_definition()
    _english_too(definition)
    base = folder_of(tmp_path / "base", gpt2.definition)
    text = tmp_path / "text.jsonl"
    secret = "The diaphragm of customer 4711 leaks."
    text.write_text("".join(json.dumps({"text": one}) + "\n" for one in [secret, *JAPANESE]))
    words = ["tokenizer", "check", str(base)]
    assert main([*words, str(base), "--text", str(text)]) == 0
    assert "I2  holds on these texts" in capsys.readouterr().out
    wrong = folder_of(tmp_path / "wrong", definition)
    assert main([*words, str(wrong), "--text", str(text)]) == 1
    said = capsys.readouterr()
    assert "I2  BROKEN: text " in said.out
    assert said.err.endswith(f"{wrong}: I2, I8 of {base} do not hold in it\n")
    assert main([*words, str(wrong), "--text", str(text), "--json"]) == 1
    printed = capsys.readouterr().out
    assert {one["invariant"] for one in json.loads(printed)["violations"]} == {"I2", "I8"}
    assert "4711" not in said.out + said.err + printed
