from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus
from tests.tokenizer.sp_models import MIXED
from tests.tokenizer.test_extend import SENTENCES, write_run
from tokenizer.byte_bpe import ByteBpe
from tokenizer.curve import curve_of_run
from tokenizer.extend import extend_tokenizer
from tokenizer.morphemes import mark_morphemes
from tokenizer.phrases import Phrases
from tokenizer.units import count_units, morpheme_cuts, unpack_unit
from tsugiki.__main__ import main


def soft_cuts(texts: list[str], *, compounds: bool = False) -> list[set[int]]:
    lengths = [len(text.encode()) + 2 for text in texts]
    marks = np.zeros(sum(lengths), np.uint8)
    parts = np.split(marks, np.cumsum(lengths)[:-1])
    for text, part in zip(texts, parts, strict=True):
        mark_morphemes(text, part)
    Phrases(compounds=compounds).soften(pa.array(texts, pa.large_string()), marks)
    return [set(np.flatnonzero(part).tolist()) for part in parts]


def phrases(text: str, *, compounds: bool = False) -> list[str]:
    content, cuts = text.encode(), sorted(soft_cuts([text], compounds=compounds)[0] | {0})
    return [content[a:b].decode() for a, b in itertools.pairwise(cuts) if a < b <= len(content)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "半導体製造装置の点検を行う", ["半導体製造装置の", "点検を", "行う"], id="compounds and particles"
        ),
        pytest.param("弁を閉じ、電源を切る。", ["弁を", "閉じ", "、", "電源を", "切る", "。"], id="marks stand alone"),
        pytest.param("取り扱い", ["取り扱い"], id="no morpheme begins where hiragana end"),
        pytest.param("定量ポンプTP120", ["定量ポンプTP120"], id="katakana, letters and digits go on"),
        pytest.param("点検 校正", ["点検", " ", "校正"], id="a space"),
    ],
)
def test_where_phrases_end(text: str, expected: list[str]) -> None:
    assert phrases(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "個人情報保護方針の改定を行う", ["個人情報保護方針", "の", "改定", "を", "行う"], id="between particles"
        ),
        pytest.param("取り扱い説明書", ["取り扱い", "説明書"], id="hiragana end one"),
        pytest.param("AI品質保証課2024年", ["AI品質保証課", "2024", "年"], id="and so do numbers"),
        pytest.param("定量ポンプ・弁", ["定量ポンプ", "・", "弁"], id="and marks"),
    ],
)
def test_where_compounds_end(text: str, expected: list[str]) -> None:
    assert phrases(text, compounds=True) == expected


@given(st.lists(MIXED, min_size=1, max_size=4))
@settings(max_examples=40, deadline=None)
def test_soft_boundaries_are_some_of_those_between_morphemes_whatever_stands_beside(texts: list[str]) -> None:
    together = soft_cuts(texts)
    assert together == [soft_cuts([text])[0] for text in texts]
    for text, soft, compounds in zip(texts, together, soft_cuts(texts, compounds=True), strict=True):
        assert soft <= morpheme_cuts(text)
        assert compounds <= morpheme_cuts(text)


def test_units_of_phrases_are_longer(gpt2: ByteBpe) -> None:
    content = {
        boundaries: {
            b"".join(gpt2.bytes_of[number] for number in unpack_unit(unit)).decode()
            for unit in count_units(["品質保証課が保管する。"], gpt2, boundaries)
        }
        for boundaries in ("morphemes", "soft")
    }
    assert {"品質", "保証", "課", "保管"} <= content["morphemes"]
    assert content["soft"] == {"品質保証課が", "保管する", "。"}


def test_a_soft_run_learns_across_morphemes_and_says_so(
    tmp_path: Path, base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_run(tmp_path)
    build_corpus(load(path, Run))
    words = ("tokenizer.add=120", "tokenizer.min_count=2")
    hard = curve_of_run(load(path, Run, words))
    run = load(path, Run, (*words, "tokenizer.boundaries=soft"))
    soft = curve_of_run(run)
    assert (hard.boundaries, soft.boundaries) == ("morphemes", "soft")
    last = [curve.points[-1].learned_chars_per_token for curve in (hard, soft)]
    assert last[0] is not None
    assert last[1] is not None
    assert last[0] < last[1]
    made = extend_tokenizer(run)
    assert made.counts["invariants"] == "I1 I2 I3 I4 I5 I6 I8 hold; I9 is off, boundaries were soft"
    assert {"units", "units-soft"} <= {one.name for one in run.run.dir.iterdir()}
    texts = tmp_path / "check.txt"
    texts.write_text("".join(SENTENCES) * 6)
    check = ["tokenizer", "check", str(base_folder), str(made.dir / "hf"), "--text", str(texts)]
    assert main(check) == 0
    assert "I9  not checked: its boundaries were soft" in capsys.readouterr().out
    (made.dir / "hf").rename(tmp_path / "hf")
    assert main([*check[:3], str(tmp_path / "hf"), *check[4:]]) == 1
    assert "I9  BROKEN" in capsys.readouterr().out
