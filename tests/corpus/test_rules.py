"""Deciding: both sides of every bound of the shipped preset, and the first rule that fails takes the blame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import UserError
from configs.schema.preset import Preset, Rule, load_preset
from corpus.batch import Batch
from corpus.measures.registry import known, measure
from corpus.rules import KEPT, check_preset, decide, failing, reason_words

INHOUSE = load_preset("inhouse")
BOUNDS = [
    pytest.param(rule, side, id=f"{rule.reason}, {side} {getattr(rule, side)}")
    for rule in INHOUSE.rules
    for side in ("min", "max")
    if getattr(rule, side) is not None
]


def rule(**values: Any) -> Rule:
    """A rule on characters."""
    return Rule(**{"measure": "characters", "reason": "r", "source": "s", **values})


def just_beyond(rule: Rule, side: str) -> float:
    """The next number that a bound drops."""
    bound: float = getattr(rule, side)
    return float(np.nextafter(bound, -np.inf if side == "min" else np.inf))


@pytest.mark.parametrize(("rule", "side"), BOUNDS)
def test_on_the_bound_a_document_stays_and_one_step_beyond_it_goes(rule: Rule, side: str) -> None:
    values_N = np.array([getattr(rule, side), just_beyond(rule, side), np.nan])
    assert failing(rule, values_N).tolist() == [False, True, False]


@pytest.mark.parametrize(("rule", "side"), BOUNDS)
def test_the_shipped_preset_drops_for_the_reason_and_in_the_languages_it_names(rule: Rule, side: str) -> None:
    # Every other measure has a value that its rules let pass.
    columns = {name: np.full(3, 0.5) for name in known()}
    columns |= {"characters": np.full(3, 1e4), "replacement_share": np.zeros(3), "mojibake_share": np.zeros(3)}
    columns |= {"repeated_line_share": np.zeros(3), "full_stops_per_100": np.full(3, 5.0)}
    languages = pa.array(["ja", "en", "de"])
    assert decide(columns, INHOUSE.rules, languages).tolist() == [KEPT] * 3
    columns[rule.measure] = np.full(3, just_beyond(rule, side))
    words = reason_words(decide(columns, INHOUSE.rules, languages), INHOUSE.rules)
    assert words == [rule.reason if not rule.languages or one in rule.languages else None for one in ("ja", "en", "de")]


FILLER = "あのねえとそれで"


@pytest.mark.parametrize(
    ("text", "language", "reason"),
    [
        pytest.param(FILLER * 4 + "まみむめもやゆ。", "ja", None, id="40 characters"),
        pytest.param(FILLER * 4 + "まみむめもや。", "ja", "too_short", id="39 characters"),
        pytest.param(FILLER * 12 + "。--" + "\ufffd", "ja", None, id="1 replacement in 100"),
        pytest.param(FILLER * 12 + "。-" + "\ufffd", "ja", "broken_characters", id="1 in 99"),
        pytest.param(FILLER * 2 + "まみ。。" + "縺", "ja", "too_short", id="short before anything later"),
        pytest.param("あ" * 18 + "。" + "縺" + "-" * 20, "ja", None, id="1 of mojibake in 40"),
        pytest.param("あ" * 16 + "。" + "縺" * 3 + "-" * 20, "ja", "mojibake", id="3 in 40"),
        pytest.param("あ" * 12 + "。" + "-" * 27, "ja", None, id="12 Japanese in 40"),
        pytest.param("あ" * 11 + "。" + "-" * 28, "ja", "too_little_japanese", id="11 in 40"),
        pytest.param("あ" * 11 + "a" * 20 + "。" + "-" * 8, "en", None, id="an English text needs no Japanese"),
        pytest.param("あ" * 6 + "漢" * 34 + "。", "ja", None, id="6 hiragana of 40 Japanese: 0.15"),
        pytest.param("あ" * 6 + "漢" * 35 + "。", "ja", "too_little_hiragana", id="6 of 41"),
        pytest.param("a" * 19 + "." + "1" * 18, "en", "too_short", id="38 characters"),
        pytest.param("a" * 20 + "1" * 19 + ".", "en", None, id="half letters"),
        pytest.param("a" * 19 + "1" * 20 + ".", "en", "too_few_letters", id="19 letters in 40"),
        pytest.param("あ" * 332 + "。", "ja", None, id="1 full stop in 333"),
        pytest.param("あ" * 333 + "。", "ja", "no_sentences", id="1 in 334"),
        pytest.param(f"{'あ' * 11}。\n{'い' * 16}\n{'あ' * 11}。", "ja", None, id="12 characters of 40 again"),
        pytest.param(f"{'あ' * 12}。\n{'い' * 14}\n{'あ' * 12}。", "ja", "repeated_lines", id="13 of 40 again"),
    ],
)
def test_the_shipped_preset_judges_real_texts(
    batch_of: Callable[..., Batch], text: str, language: str, reason: str | None
) -> None:
    batch = batch_of(text, language=language)
    decided = decide(measure(batch, known()), INHOUSE.rules, batch.column("language"))
    assert reason_words(decided, INHOUSE.rules) == [reason]


@pytest.mark.parametrize(
    ("bounds", "dropped"),
    [
        pytest.param({"min": 2}, [True, False, False, False], id="min"),
        pytest.param({"max": 2}, [False, False, True, False], id="max"),
        pytest.param({"min": 2, "max": 2}, [True, False, True, False], id="both"),
        pytest.param({"min": 2, "exclusive": True}, [True, True, False, False], id="min, the bound goes too"),
        pytest.param({"max": 2, "exclusive": True}, [False, True, True, False], id="max, the bound goes too"),
    ],
)
def test_a_bound_drops_what_is_beyond_it_and_never_what_has_no_value(
    bounds: dict[str, Any], dropped: list[bool]
) -> None:
    assert failing(rule(**bounds), np.array([1.0, 2.0, 3.0, np.nan])).tolist() == dropped


def test_the_first_rule_that_fails_takes_the_blame() -> None:
    rules = [rule(min=5, reason="first"), rule(min=10, reason="second"), rule(max=20, reason="third")]
    columns = {"characters": np.array([1.0, 7.0, 15.0, 30.0])}
    decided = decide(columns, rules, pa.array(["ja"] * 4))
    assert decided.tolist() == [1, 2, 0, 3]
    assert decided.dtype == np.uint16
    assert reason_words(decided, rules) == ["first", "second", None, "third"]


@given(st.lists(st.floats(0, 10) | st.just(float("nan")), max_size=20), st.lists(st.integers(0, 10), max_size=4))
def test_every_document_is_kept_or_dropped_for_one_reason(values: list[float], bounds: list[int]) -> None:
    rules = [rule(min=bound, reason=f"r{number}") for number, bound in enumerate(bounds)]
    decided = decide({"characters": np.array(values, np.float64)}, rules, pa.array(["ja"] * len(values), pa.string()))
    plain = [next((f"r{number}" for number, bound in enumerate(bounds) if value < bound), None) for value in values]
    assert reason_words(decided, rules) == plain


@pytest.mark.parametrize(
    ("preset", "complaint"),
    [
        pytest.param(
            Preset(description="d", steps=("nfkc", "upper"), rules=()),
            "preset own: no step 'upper'; there are invisible, punctuation, nfkc, unwrap, space",
            id="step",
        ),
        pytest.param(
            Preset(description="d", steps=(), rules=(rule(min=1), rule(measure="hiragana", min=1))),
            f"preset own: no measure 'hiragana'; there are {', '.join(known())}",
            id="measure",
        ),
    ],
)
def test_a_preset_that_uses_what_does_not_exist_is_refused(preset: Preset, complaint: str) -> None:
    with pytest.raises(UserError) as caught:
        check_preset(preset, "own")
    assert str(caught.value) == complaint


def test_the_shipped_preset_uses_what_exists() -> None:
    check_preset(INHOUSE, "inhouse")
