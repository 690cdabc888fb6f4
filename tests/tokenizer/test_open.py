"""Which kind a folder's tokenizer is, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs.errors import UserError
from tests.tokenizer.sp_models import V1, sp_bpe, sp_unigram, trained
from tokenizer.byte_bpe import ByteBpe
from tokenizer.definition import read_definition
from tokenizer.extendable import Extension, Merge
from tokenizer.open import open_tokenizer, tokenizer_of
from tokenizer.sp_tokenizer import SpTokenizer

KNOWN = "byte-level BPE, and SentencePiece BPE and Unigram with byte fallback, can be extended"


def write(folder: Path, definition: dict[str, Any], model: bytes | None = None) -> Path:
    """A folder with a tokenizer."""
    (folder / "tokenizer.json").write_text(json.dumps(definition))
    if model is not None:
        (folder / "tokenizer.model").write_bytes(model)
    return folder


def refusal(folder: Path) -> str:
    """What is said of a folder, without its name."""
    with pytest.raises(UserError) as raised:
        open_tokenizer(folder)
    return str(raised.value).replace(f"{folder}/", "")


def test_a_folder_without_tokenizer_says_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(UserError) as raised:
        open_tokenizer(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path}: has no tokenizer.json and no tokenizer.model (found: no tokenizer file at all); "
        "copy the base's tokenizer files into the folder, or name one that has them in tokenizer.base"
    )


def test_a_damaged_tokenizer_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(UserError, match=r"tokenizer\.json: damaged, not JSON"):
        open_tokenizer(tmp_path)


def test_byte_level_is_byte_level_whatever_lies_beside_it(tmp_path: Path, gpt2: ByteBpe) -> None:
    # Llama 3's folder has a tokenizer.model, too, which is tiktoken's.
    assert isinstance(open_tokenizer(write(tmp_path, gpt2.definition, b"IQ== 0\nIg== 1\n")), ByteBpe)


@pytest.mark.parametrize("files", ["json", "model", "both"])
@pytest.mark.parametrize("make", [sp_bpe, sp_unigram])
def test_sentencepiece_is_opened_from_either_file_or_both(
    tmp_path: Path, make: Callable[[], SpTokenizer], files: str
) -> None:
    base = make()
    assert base.model is not None
    if files != "model":
        write(tmp_path, base.definition)
    if files != "json":
        (tmp_path / "tokenizer.model").write_bytes(base.model.serialised())
    opened = open_tokenizer(tmp_path)
    assert isinstance(opened, SpTokenizer)
    assert opened.kind == base.kind
    assert (opened.model is None) is (files == "json")
    assert opened.definition == base.definition
    assert opened.encode("点検 12 <s>") == base.encode("点検 12 <s>")


@pytest.mark.slow
def test_mistrals_own_file_is_opened_by_the_name_that_bases_have_for_it(tmp_path: Path) -> None:
    shutil.copy(V1, tmp_path / "tokenizer.model")
    assert open_tokenizer(tmp_path).size == 32000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"type": "WordPiece"}, f"holds a WordPiece tokenizer; {KNOWN}", id="WordPiece"),
        pytest.param({"type": "WordLevel"}, f"holds a WordLevel tokenizer; {KNOWN}", id="WordLevel"),
        pytest.param(
            {"type": "Unigram", "vocab": [["a", -1.0]]},
            f"holds a Unigram without byte fallback, which loses unknown characters; {KNOWN}",
            id="Unigram without bytes",
        ),
        pytest.param(
            {"type": "Unigram", "vocab": [["a", -1.0], ["a", -2.0]], "byte_fallback": True},
            "piece 'a' has the ids 0 and 1; the file is damaged",
            id="a piece twice in a list",
        ),
        pytest.param({"type": None}, f"holds a None tokenizer; {KNOWN}", id="no type"),
        pytest.param(
            {"merges": ...}, "has no merges, without which BPE cannot encode; the file is incomplete", id="no merges"
        ),
        pytest.param(
            {"merges": []},
            "its merges build only 0 of 81 pieces that are longer than one symbol; the file is incomplete",
            id="merges cut off",
        ),
        pytest.param(
            {"merges": [["q", "z"]]},
            "merge 0 speaks of 'qz', which the vocabulary lacks; it is damaged",
            id="a merge to nothing",
        ),
        pytest.param(
            {"vocab": 3},
            "is no tokenizer.json of the tokenizers library: it has no model with a vocabulary",
            id="no vocabulary",
        ),
    ],
)
def test_what_cannot_be_extended_is_refused_by_name(
    tmp_path: Path, gpt2: ByteBpe, change: dict[str, Any], message: str
) -> None:
    model = {key: value for key, value in (gpt2.definition["model"] | change).items() if value is not ...}
    assert refusal(write(tmp_path, {**gpt2.definition, "model": model})) == f"tokenizer.json: {message}"


def test_a_bpe_without_bytes_is_refused(gpt2: ByteBpe) -> None:
    with pytest.raises(UserError) as raised:
        tokenizer_of({**gpt2.definition, "pre_tokenizer": {"type": "Metaspace"}}, "x")
    assert str(raised.value) == f"x: holds a BPE that is neither byte-level nor has byte fallback; {KNOWN}"


def test_half_of_the_merges_are_enough(tmp_path: Path, gpt2: ByteBpe) -> None:
    model = gpt2.definition["model"]
    for kept, fails in ((41, False), (40, True)):
        changed = {**gpt2.definition, "model": {**model, "merges": model["merges"][:kept]}}
        if fails:
            assert "its merges build only 40 of 81 pieces" in refusal(write(tmp_path, changed))
        else:
            open_tokenizer(write(tmp_path, changed))


def test_a_piece_that_stands_twice_is_refused(tmp_path: Path, gpt2: ByteBpe) -> None:
    text = json.dumps(gpt2.definition).replace('"vocab": {', '"vocab": {"the": 9999, "the": 17, ')
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(UserError, match=r"tokenizer\.json: 'the' stands twice in one list of names"):
        read_definition(tmp_path / "tokenizer.json")


def test_two_pieces_of_one_id_are_refused(tmp_path: Path, gpt2: ByteBpe) -> None:
    vocab = {**gpt2.definition["model"]["vocab"], "another": 5}
    message = refusal(write(tmp_path, {**gpt2.definition, "model": {**gpt2.definition["model"], "vocab": vocab}}))
    assert message == "tokenizer.json: id 5 stands for '#' and for 'another'; the file is damaged"


@pytest.mark.parametrize("make", [sp_bpe, sp_unigram])
def test_files_of_different_tokenizers_are_told_by_the_first_id_that_differs(
    tmp_path: Path, make: Callable[..., Any]
) -> None:
    one, other = make(), make(control_symbols="[INST]")
    message = refusal(write(tmp_path, one.definition, other.model.serialised()))
    assert message == (
        "tokenizer.json: id 3 is '<0x00>', but '[INST]' in tokenizer.model; "
        "they are of different tokenizers: copy both from the same base, or remove the wrong one"
    )


def test_a_json_with_more_pieces_than_the_model_is_refused(tmp_path: Path) -> None:
    base = sp_bpe()
    model = base.definition["model"]
    more = {**base.definition, "model": {**model, "vocab": {**model["vocab"], "麤": base.size}}}
    assert base.model is not None
    message = refusal(write(tmp_path, more, base.model.serialised()))
    assert message == (
        f"tokenizer.json: id {base.size} is '麤', which tokenizer.model lacks (it has {base.size} pieces); "
        "copy both from the same base, or remove the wrong one"
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\x01\x02", trained("bpe").serialised()[:-100], b"IQ== 0\n"],
    ids=["empty", "noise", "cut", "tiktoken"],
)
def test_a_damaged_model_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.model").write_bytes(content)
    assert refusal(tmp_path) == (
        "tokenizer.model: cannot be read as a SentencePiece model: it is damaged or in another format; copy the base's "
        "file again, or remove it where there is a tokenizer.json"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"algorithm": "char"}, "holds a SentencePiece character model", id="characters"),
        pytest.param({"algorithm": "word"}, "holds a SentencePiece word model", id="words"),
        pytest.param({"byte_fallback": False}, "BPE without byte fallback, which loses the characters", id="no bytes"),
        pytest.param({"normalization_rule_name": "nmt_nfkc"}, "normalises text (rule 'nmt_nfkc'", id="NFKC"),
        pytest.param({"remove_extra_whitespaces": True}, "extra spaces removed: true", id="spaces removed"),
        pytest.param({"treat_whitespace_as_suffix": True}, "writes spaces otherwise", id="spaces behind words"),
    ],
)
def test_a_model_that_alone_does_not_tell_enough_is_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    model = trained(settings.pop("algorithm", "bpe"), **settings)
    (tmp_path / "tokenizer.model").write_bytes(model.serialised())
    assert message in refusal(tmp_path)


def test_a_sentencepiece_bpe_that_lacks_a_byte_is_refused(tmp_path: Path) -> None:
    base = sp_bpe()
    vocab = {piece: number for piece, number in base.definition["model"]["vocab"].items() if piece != "<0x41>"}
    message = refusal(write(tmp_path, {**base.definition, "model": {**base.definition["model"], "vocab": vocab}}))
    assert message == ("tokenizer.json: lacks <0x41>, by which unknown characters are spelt; the file is incomplete")


def test_a_hole_among_the_pieces_stays_and_new_ids_come_after_the_last(tmp_path: Path, gpt2: ByteBpe) -> None:
    vocab = dict(gpt2.definition["model"]["vocab"])
    last = max(vocab, key=lambda piece: vocab[piece])
    vocab[last] += 10
    opened = open_tokenizer(write(tmp_path, {**gpt2.definition, "model": {**gpt2.definition["model"], "vocab": vocab}}))
    assert opened.size == gpt2.size + 10
    assert set(range(opened.size)) - set(opened.bytes_of) == set(range(gpt2.size - 1, gpt2.size + 9))


def test_an_added_token_behind_a_hole_is_refused_because_it_gets_another_id_when_loaded(
    tmp_path: Path, gpt2: ByteBpe
) -> None:
    more = {**gpt2.definition["added_tokens"][0], "id": gpt2.size + 7, "content": "<tool>"}
    added = [*gpt2.definition["added_tokens"], more]
    assert refusal(write(tmp_path, {**gpt2.definition, "added_tokens": added})) == (
        f"tokenizer.json: added token '<tool>' has id {gpt2.size + 7}, but whoever loads the file gets {gpt2.size}, "
        "because the ids before it have a hole; give it its id in the model's vocabulary, too"
    )


def test_added_tokens_in_the_middle_keep_their_ids(tmp_path: Path, gpt2: ByteBpe) -> None:
    definition = json.loads(json.dumps(gpt2.definition))
    vocab = definition["model"]["vocab"]
    # What was the last special token changes places with a piece in the middle.
    vocab["<|im_end|>"], vocab["é"] = vocab["é"], vocab["<|im_end|>"]
    definition["added_tokens"][2]["id"] = vocab["<|im_end|>"]
    opened = open_tokenizer(write(tmp_path, definition))
    pair = opened.encode("鶴")[:2]
    extension = Extension(
        opened.size, (b"".join(opened.bytes_of[k] for k in pair),), (Merge(pair[0], pair[1], opened.size),), (1,)
    )
    extended = opened.extended(extension)
    assert extended.backend.token_to_id("<|im_end|>") == vocab["<|im_end|>"]
    assert opened.size in extended.encode("鶴")
