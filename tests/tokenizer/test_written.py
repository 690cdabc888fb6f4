"""What is refused before anything is written, and after it was read again as others read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor
from tokenizers import Tokenizer as Library
from transformers import AutoTokenizer

from configs.errors import UserError
from configs.schema.tokenizer import Tokenizer
from tests.tokenizer.sp_models import TEXTS, sp_unigram
from tokenizer.byte_bpe import ByteBpe
from tokenizer.extend_files import extend_by_files
from tokenizer.extendable import Extension
from tokenizer.learn import extend
from tokenizer.open import open_tokenizer
from tokenizer.reload import refuse_reloaded_otherwise
from tokenizer.units import count_units, to_batch
from tokenizer.written import Made


def test_a_broken_promise_stops_the_run_by_its_name_and_without_text(gpt2: ByteBpe) -> None:
    dead = Extension(gpt2.size, ("点検".encode(),), (), (1,))
    with pytest.raises(UserError) as raised:
        Made(Path("base"), gpt2, dead, None).refuse_broken(TEXTS, [to_batch(count_units(TEXTS, gpt2, "soft"))])
    assert str(raised.value) == (
        "base: the extended tokenizer would break its promises, nothing was written: "
        "I6: 1 new token(s) are never produced by their own text"
    )


def test_what_was_learned_across_morphemes_breaks_a_promise_unless_boundaries_were_soft(gpt2: ByteBpe) -> None:
    hard, soft = (to_batch(count_units(TEXTS, gpt2, boundaries)) for boundaries in ("morphemes", "soft"))
    extension = extend(gpt2, [soft], 120, 2)
    Made(Path("base"), gpt2, extension, None, boundaries="soft").refuse_broken(TEXTS, [soft])
    with pytest.raises(UserError, match=r"nothing was written: I9: \d+ new token\(s\) occur in no run between"):
        Made(Path("base"), gpt2, extension, None).refuse_broken(TEXTS, [hard])


def test_a_folder_that_transformers_reads_otherwise_is_refused(base_folder: Path) -> None:
    refuse_reloaded_otherwise(base_folder, open_tokenizer(base_folder), TEXTS)
    settings = json.loads((base_folder / "tokenizer_config.json").read_text())
    word = {"content": "点検", "lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    settings["added_tokens_decoder"] = {"900": {**word, "special": False}}
    (base_folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(
        UserError, match=r"I7: text 0 \(28 characters\) has other ids when transformers loads"
    ) as raised:
        refuse_reloaded_otherwise(base_folder, open_tokenizer(base_folder), TEXTS)
    assert "点検" not in str(raised.value)


def test_all_read_a_unigrams_folder_alike_and_what_belongs_to_it_is_kept(tmp_path: Path) -> None:
    base, text = tmp_path / "base", tmp_path / "text.jsonl"
    base.mkdir()
    model = sp_unigram().model
    assert model is not None
    (base / "tokenizer.model").write_bytes(model.serialised())
    kept = {"eos_token": "</s>", "model_max_length": 4096, "padding_side": "left", "chat_template": "{{ messages }}"}
    (base / "tokenizer_config.json").write_text(json.dumps(kept))
    (base / "special_tokens_map.json").write_text('{"eos_token": "</s>"}')
    text.write_text("\n".join(json.dumps({"text": f"{one}{number}"}) for one in TEXTS for number in range(4)))
    folder = extend_by_files(str(base), [str(text)], tmp_path / "out", Tokenizer(add=20, min_count=3), 1).dir / "hf"
    loaded, theirs = AutoTokenizer.from_pretrained(folder), SentencePieceProcessor(str(folder / "tokenizer.model"))
    rust, ours = Library.from_file(f"{folder}/tokenizer.json"), open_tokenizer(folder)
    assert len(loaded) == theirs.vocab_size() == rust.get_vocab_size() == ours.size > open_tokenizer(base).size
    for one in [*TEXTS, "Check 12 valves.", " か\u3099 ＴＰ－１２０", ""]:
        ids = theirs.encode(one)
        assert loaded.encode(one, add_special_tokens=False) == ids
        assert rust.encode(one, add_special_tokens=False).ids == ours.encode(one) == ids
    assert {name: getattr(loaded, name) for name in kept} == kept
    assert (folder / "special_tokens_map.json").read_bytes() == (base / "special_tokens_map.json").read_bytes()
