from __future__ import annotations

from pathlib import Path

import pytest

from configs.artifact import Artifact
from configs.errors import UserError
from configs.load import load
from configs.schema.run import Run
from configs.schema.tokenizer import Tokenizer
from corpus.build import build_corpus
from tests.tokenizer.test_extend import write_run
from tokenizer.curve import curve_of_run
from tokenizer.extend import extend_tokenizer
from tokenizer.extend_files import extend_by_files
from tokenizer.open import open_tokenizer

WHY = (
    "nothing can be learned from 1 character(s): nowhere do two tokens of the base that are not both ASCII stand side "
    "by side 3 times, with no boundary between"
)

ALL_STAYS = (
    "corpus.rules={too_short: {off: true}, too_little_hiragana: {off: true}, no_sentences: {off: true}}",
    "corpus.held_out.share=0",
)


def test_a_corpus_of_one_character_is_an_error_for_a_number_and_a_reason_for_the_curve(
    tmp_path: Path, base_folder: Path
) -> None:
    path = write_run(tmp_path)
    for file in (tmp_path / "ja").iterdir():
        file.unlink()
    (tmp_path / "ja" / "one.txt").write_text("点")
    build_corpus(load(path, Run, ALL_STAYS))
    run = load(path, Run, ALL_STAYS)
    assert Artifact.open(run.run.dir / "corpus").counts["kept"]["inhouse"]["characters"] == 1
    with pytest.raises(UserError) as raised:
        extend_tokenizer(run)
    assert str(raised.value) == (
        f"tokenizer.add: {WHY}; add text, lower tokenizer.min_count, or set tokenizer.add=0 to keep the base's "
        "tokenizer"
    )
    curve = curve_of_run(run)
    assert curve.recommendation.add == 0
    assert curve.recommendation.reason == f"keep the base's tokenizer: {WHY}"


@pytest.mark.parametrize("text", ["点", "A pump, twice a pump."], ids=["one character", "ASCII"])
def test_files_with_nothing_to_learn_are_an_error(tmp_path: Path, base_folder: Path, text: str) -> None:
    (tmp_path / "one.txt").write_text(text)
    arguments = (str(base_folder), [str(tmp_path / "one.txt")], tmp_path / "out")
    with pytest.raises(UserError, match=rf"tokenizer\.add: nothing can be learned from {len(text)} character"):
        extend_by_files(*arguments, Tokenizer(add=5), 1)
    kept = extend_by_files(*arguments[:2], tmp_path / "kept", Tokenizer(add="auto"), 1)
    assert "nothing can be learned from" in kept.counts["choice"]["reason"]
    assert open_tokenizer(kept.dir / "hf").size == open_tokenizer(base_folder).size
