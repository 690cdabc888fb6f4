"""Japanese is told from what looks like it."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

import pytest

from corpus.batch import Batch
from corpus.measures.language import japanese_probability


@pytest.mark.parametrize(
    ("text", "japanese"),
    [
        pytest.param("定量ポンプの点検では、最初に電源を切る。次に弁を閉じる。", True, id="Japanese"),
        pytest.param("ポンプＴＰ－１２０は、電源を切ってから点検する。", True, id="with Latin letters"),
        pytest.param("检查泵的压力，然后关闭阀门并记录结果。", False, id="Chinese"),
        pytest.param("펌프를 점검하기 전에 전원을 끄십시오.", False, id="Korean"),
        pytest.param("Switch the pump off before you check it.", False, id="English"),
        pytest.param("Выключите насос перед проверкой.", False, id="Russian"),
    ],
)
def test_japanese_and_what_is_not(batch_of: Callable[..., Batch], text: str, japanese: bool) -> None:
    (probability,) = japanese_probability(batch_of(text))["japanese_probability"]
    assert probability > 0.99 if japanese else probability < 0.01


def test_only_the_beginning_is_looked_at_and_nothing_has_no_language(batch_of: Callable[..., Batch]) -> None:
    english = "Switch the pump off. " * 100
    found = japanese_probability(batch_of(english + "点検。" * 5000, " \n", ""))["japanese_probability"]
    assert found[0] < 0.01
    assert isnan(found[1])
    assert isnan(found[2])
