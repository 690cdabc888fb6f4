"""How well personal data is found on the labelled sentences: both parts, every kind."""

from __future__ import annotations

import pytest

from benchmarks.personal_data import LEAST_OF_LOOSE, LEAST_PRECISION, LEAST_RECALL, least
from benchmarks.personal_text.harmless import HARMLESS
from benchmarks.personal_text.labelled import PARTS, Part, labelled
from benchmarks.personal_text.score import LOOSE, Score, same, scores
from configs.schema.mask import Mask
from corpus.mask.find import Span

KINDS = tuple(Mask().actions())


@pytest.fixture(scope="module", params=PARTS)
def scored(request: pytest.FixtureRequest) -> dict[str, Score]:
    part: Part = request.param
    return scores(labelled(part))


def test_every_kind_is_found_as_well_as_is_promised(scored: dict[str, Score]) -> None:
    assert set(scored) == set(KINDS)
    for kind, score in scored.items():
        recall, precision = least(kind)
        assert score.recall >= recall, kind
        assert score.precision >= precision, kind


def test_what_is_promised_is_what_was_asked() -> None:
    assert (LEAST_RECALL, LEAST_PRECISION, LEAST_OF_LOOSE) == (0.98, 0.97, 0.85)
    assert {"name", "address"} == LOOSE


def test_the_sentences_are_many_and_the_parts_share_none() -> None:
    parts = {part: list(labelled(part)) for part in PARTS}
    assert sum(len(case.spans) for cases in parts.values() for case in cases) >= 1500
    assert not {case.text for case in parts["tuned"]} & {case.text for case in parts["held_back"]}
    for cases in parts.values():
        without = [case for case in cases if not case.spans]
        assert len(without) >= len(cases) / 4
        assert len(HARMLESS) == 11


def test_a_span_of_numbers_is_right_to_the_character_and_a_name_nearly() -> None:
    assert same(Span(0, 10, "phone"), Span(0, 10, "phone"))
    assert not same(Span(0, 10, "phone"), Span(0, 9, "phone"))
    assert not same(Span(0, 10, "phone"), Span(0, 10, "postal_code"))
    assert same(Span(0, 10, "address"), Span(0, 8, "address"))
    assert not same(Span(0, 10, "address"), Span(0, 7, "address"))
