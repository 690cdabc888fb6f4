"""How much worse than the untouched base, and whether that is too much."""

from __future__ import annotations

import math
from typing import Any

import pytest

from configs.schema.guards import Forgetting
from pretrain.forgetting import excesses, forgotten
from pretrain.measured import Measured

LANGUAGE_OF = {"web": "ja", "manuals": "ja", "english": "en"}


def evaluation(step: int, model: str, **bits: float) -> dict[str, Any]:
    """The line of a measurement in which every source has 100 characters."""
    sources = {name: Measured(one * 100 * math.log(2), 50, 100, 300).to_json() for name, one in bits.items()}
    return {"kind": "evaluation", "step": step, "model": model, "sources": sources}


METRICS = [
    evaluation(0, "base", web=4.0, manuals=2.0, english=1.0),
    {"kind": "step", "step": 1, "loss_nats": 3.0},
    evaluation(0, "trained", web=3.0, manuals=2.0, english=1.0),
    evaluation(5, "trained", web=2.0, manuals=1.0, english=1.1),
]


def test_forgotten_is_by_what_share_bits_rose_above_those_of_the_base() -> None:
    shares = forgotten(METRICS, LANGUAGE_OF)
    assert list(shares) == [0, 5]
    assert shares[5] == pytest.approx({"web": -0.5, "manuals": -0.5, "english": 0.1, "ja": -0.5, "en": 0.1})
    assert shares[0]["ja"] == pytest.approx(5 / 6 - 1)


def test_a_source_goes_before_a_language_of_its_name() -> None:
    lines = [evaluation(0, "base", ja=4.0, more=4.0), evaluation(5, "trained", ja=2.0, more=4.0)]
    assert forgotten(lines, {"ja": "ja", "more": "ja"})[5] == pytest.approx({"ja": -0.5, "more": 0.0})


def test_without_a_measured_base_nothing_is_known() -> None:
    assert forgotten(METRICS[1:], LANGUAGE_OF) == {}


@pytest.mark.parametrize(
    ("share", "exceeded"),
    [pytest.param(0.03, False, id="a budget may be reached"), pytest.param(0.0301, True, id="and not exceeded")],
)
def test_both_sides_of_a_budget(share: float, exceeded: bool) -> None:
    settings = Forgetting(budgets={"en": 0.03})
    assert bool(excesses(settings, {"en": share, "ja": 9.0})) is exceeded
