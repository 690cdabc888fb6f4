from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.guards import Guards
from configs.schema.pretrain import Checkpoint
from pretrain.checkpoint.directory import complete, set_aside
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.checkpoint.retention import Retention, furthest_back, kept
from pretrain.metrics_file import METRICS
from pretrain.rollbacks import Rollback, steps_before
from tests.pretrain.checkpoint.made import checkpoint

STEPS = [2, 4, 6, 8, 10, 12]


@pytest.mark.parametrize(
    ("settings", "stay"),
    [
        pytest.param({"keep_last": 1}, [12], id="the newest"),
        pytest.param({"keep_last": 2}, [10, 12], id="the two newest"),
        pytest.param({"keep_last": 9}, STEPS, id="more than there are"),
        pytest.param({"keep_last": 1, "keep_every_steps": 4, "every_steps": 2}, [4, 8, 12], id="milestones"),
        pytest.param({"keep_last": 1, "keep_best": 1}, [4, 12], id="of two equal the earlier"),
        pytest.param({"keep_last": 1, "keep_best": 2}, [4, 8, 12], id="the two best"),
        pytest.param({"keep_last": 1, "keep_best": 9}, [4, 6, 8, 12], id="only measured ones are good"),
    ],
)
def test_what_stays(settings: dict[str, Any], stay: list[int]) -> None:
    assert sorted(kept(STEPS, Checkpoint(**settings), {4: 1.0, 6: 2.0, 8: 1.0})) == stay


@given(st.sets(st.integers(1, 50), min_size=1), st.integers(1, 3), st.integers(0, 3), st.dictionaries(
    st.integers(1, 50), st.floats(0, 9)))  # fmt: skip
def test_pruning_as_one_goes_keeps_the_newest_and_the_best_of_all(
    saved: set[int], last: int, best: int, scores: dict[int, float]
) -> None:
    settings = Checkpoint(keep_last=last, keep_best=best)
    held: set[int] = set()
    for step in sorted(saved):
        held = kept([*held, step], settings, scores)
    assert held == kept(sorted(saved), settings, scores)
    assert max(saved) in held


@given(
    saved=st.sets(st.integers(1, 200), min_size=1),
    last=st.integers(1, 3),
    after=st.integers(1, 20),
    steps=st.integers(1, 40),
    window=st.tuples(st.integers(0, 100), st.integers(0, 30)),
)
def test_wherever_trouble_begins_there_is_one_to_go_back_to_and_not_a_very_old_one(
    saved: set[int], last: int, after: int, steps: int, window: tuple[int, int]
) -> None:
    guards, settings = Guards(rollback_after=after, rollback_steps=steps), Checkpoint(keep_last=last)
    rollbacks = [Rollback(window[0], sum(window), sum(window))] if window[1] else []
    widest = max(right - left for left, right in pairwise(sorted({0, *saved, 220})))
    held: set[int] = set()
    for newest, following in pairwise(sorted({*saved, 220})):
        back_to = furthest_back(newest, guards, rollbacks)
        held = kept(sorted({*held, newest}), settings, {}, back_to)
        assert len(held) <= last + 2
        for end in range(newest + 1, following + 1):
            first = steps_before(rollbacks, max(0, end - after), steps)
            targets = [step for step in held if step <= first]
            assert targets or first < min(saved)
            reach = after + steps + window[1]
            assert first - max(targets, default=0) <= widest + reach + widest


def test_without_rollbacks_none_is_kept_for_one() -> None:
    assert furthest_back(1000, Guards(), []) is None


def _retention(root: Path, **settings: Any) -> Retention:
    languages = {"inhouse": "ja", "wiki": "ja", "english": "en"}
    return Retention(root, Checkpoint(**settings), languages, Guards(), [])


def _measured(step: int, model: str = "trained", **bits: float) -> str:
    # 100 characters, so that a bit per character is 100 ln 2 nats.
    sources = {
        name: {"nll_nats": value * 69.31471805599453, "tokens": 50, "characters": 100, "bytes": 300}
        for name, value in bits.items()
    }
    return json.dumps({"kind": "evaluation", "step": step, "model": model, "sources": sources}) + "\n"


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        pytest.param("mean", {2: 3.0, 4: 2.5}, id="languages alike, whatever they hold"),
        pytest.param("ja", {2: 4.0, 4: 1.0}, id="a language"),
        pytest.param("wiki", {2: 6.0}, id="a source, where it was measured"),
        pytest.param("fr", {}, id="nothing of the kind"),
    ],
)
def test_by_what_the_best_are_chosen(tmp_path: Path, by: str, expected: dict[int, float]) -> None:
    lines = [
        _measured(0, "base", inhouse=9.0),
        _measured(2, inhouse=2.0, wiki=6.0, english=2.0),
        json.dumps({"kind": "step", "step": 3}) + "\n",
        _measured(4, inhouse=1.0, english=4.0),
        _measured(6, inhouse=1.0, english=4.0)[:-20],  # half a line, as a kill leaves it
    ]
    (tmp_path / METRICS).write_text("".join(lines))
    assert _retention(tmp_path, keep_best_by=by).scores() == pytest.approx(expected)


def _steps(root: Path) -> list[str]:
    return [path.name for path in complete(root)]


def test_pruning_removes_what_does_not_stay_and_nothing_else(tmp_path: Path) -> None:
    for step in (1, 2, 3, 4):
        checkpoint(tmp_path, step)
    (tmp_path / METRICS).write_text(_measured(1, inhouse=1.0) + _measured(3, inhouse=2.0))
    _retention(tmp_path, keep_last=1, keep_best=1).prune()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", METRICS, "step-00000001", "step-00000004"]


def test_pruning_where_there_is_nothing_does_nothing(tmp_path: Path) -> None:
    _retention(tmp_path).prune()
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_read_goes_when_it_is_read_no_longer(tmp_path: Path) -> None:
    readers = [CheckpointReader(checkpoint(tmp_path, step)) for step in (1, 2)]
    checkpoint(tmp_path, 3)
    retention = _retention(tmp_path, keep_last=1)
    retention.prune()
    assert _steps(tmp_path) == ["step-00000001", "step-00000002", "step-00000003"]
    readers[0].close()
    retention.prune()
    assert _steps(tmp_path) == ["step-00000002", "step-00000003"]
    del readers
    retention.prune()
    assert _steps(tmp_path) == ["step-00000003"]


def test_what_a_kill_left_of_a_removed_one_goes_and_a_damaged_one_when_a_newer_is_there(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint(tmp_path, step)
    (tmp_path / "step-00000001" / "manifest.json").unlink()
    set_aside(tmp_path / "step-00000003")
    retention = _retention(tmp_path, keep_last=1)
    retention.prune()
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000002", "step-00000003.damaged"]
    checkpoint(tmp_path, 3)
    retention.prune()
    assert sorted(path.name for path in tmp_path.glob("step-*")) == ["step-00000003"]
