"""What the comparison of engines covers, and that it fails when it should."""

from __future__ import annotations

import math
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

import benchmarks.__main__ as command_line
from benchmarks import engines
from benchmarks.engine_lab.comparison import MODELS, Combination, Difference, compare
from benchmarks.engine_lab.selection import SELECTION
from benchmarks.figures import failed
from pretrain.models.family import SUPPORTED

RIGHT = Difference(losses=1e-4, norms=1.0, log_probabilities=1e-4, leak=False)


def test_thirty_combinations_cover_every_family_and_kind_of_model() -> None:
    assert len({one.name for one in SELECTION}) == len(SELECTION) == 30
    assert {one.model for one in SELECTION} == set(MODELS)
    assert {family for family, _ in MODELS.values()} == set(SUPPORTED)
    assert {changes.get("tie_word_embeddings", True) for _, changes in MODELS.values()} == {True, False}
    assert {changes.get("num_key_value_heads", 4) for _, changes in MODELS.values()} == {1, 2, 4, 8}
    assert min(Counter(one.layout for one in SELECTION).values()) >= 2


@pytest.mark.parametrize(
    ("difference", "beyond"),
    [
        pytest.param(RIGHT, [], id="at the limits"),
        pytest.param(Difference(1.01e-4, 0.0, 0.0, leak=False), ["engines/a/losses", "engines/losses"], id="losses"),
        pytest.param(
            Difference(0.0, 0.0, 1.01e-4, leak=False),
            ["engines/a/log_probabilities", "engines/log_probabilities"],
            id="log-probabilities",
        ),
        pytest.param(Difference(math.nan, 0.0, 0.0, leak=False), ["engines/a/losses", "engines/losses"], id="NaN"),
        pytest.param(Difference(0.0, 0.0, 0.0, leak=True), ["engines/without_leak"], id="a leak"),
    ],
)
def test_what_is_beyond_a_limit_fails(
    difference: Difference, beyond: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = engines.figures({"a": difference})
    assert failed(figures) == beyond
    monkeypatch.setattr(command_line, "import_module", lambda _: SimpleNamespace(measure=lambda: figures))
    monkeypatch.setattr(sys, "argv", ["benchmarks", "engines", "--json"])
    assert command_line.main() == (1 if beyond else 0)
    assert ("beyond the limit" in capsys.readouterr().err) == bool(beyond)


@pytest.mark.slow
def test_another_model_is_seen_as_different(tmp_path: Path) -> None:
    wide = Combination("another epsilon", "llama", "single", 1, {"optim": {"eps": 1e-4}})
    found = compare(tmp_path, [wide], 3, timeout_s=120)[wide.name]
    assert found.losses > engines.LOSSES
    assert found.log_probabilities == 0.0
    assert not found.leak
