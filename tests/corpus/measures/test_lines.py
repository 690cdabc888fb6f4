"""Lines, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from corpus.batch import Batch
from corpus.measures.lines import line_measures


@pytest.mark.parametrize(
    ("text", "lines", "per_line", "repeated"),
    [
        pytest.param("点検", 1, 2.0, 0.0, id="one"),
        pytest.param("点検\n\n手順書\n", 2, 2.5, 0.0, id="empty lines do not count"),
        pytest.param("社外秘\n点検\n社外秘", 3, 8 / 3, 3 / 8, id="one again"),
        pytest.param("社外秘\n　社 外 秘", 2, 3.0, 0.5, id="again with an indent"),
        pytest.param("あ\nあ\nあ\nあ", 4, 1.0, 0.75, id="three again"),
    ],
)
def test_measures_of_lines_are(
    batch_of: Callable[..., Batch], text: str, lines: float, per_line: float, repeated: float
) -> None:
    columns = line_measures(batch_of(text))
    assert {name: values[0] for name, values in columns.items()} == {
        "lines": lines,
        "characters_per_line": per_line,
        "repeated_line_share": repeated,
    }


def test_a_text_without_lines_has_no_average(batch_of: Callable[..., Batch]) -> None:
    columns = line_measures(batch_of("", "点検", "\n \n"))
    assert columns["lines"].tolist() == [0.0, 1.0, 0.0]
    assert np.isnan(columns["characters_per_line"]).tolist() == [True, False, True]
    assert columns["repeated_line_share"].tolist() == [0.0, 0.0, 0.0]


def test_no_documents_have_no_measures(batch_of: Callable[..., Batch]) -> None:
    assert {name: values.size for name, values in line_measures(batch_of("x").slice(0, 0)).items()} == {
        "lines": 0,
        "characters_per_line": 0,
        "repeated_line_share": 0,
    }
