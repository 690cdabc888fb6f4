"""The last task: what must not be trained on is read once for all tasks of a process."""

from __future__ import annotations

import json
from pathlib import Path

from configs.schema.decontaminate import Decontaminate, EvaluationSet
from corpus.write_task import WriteArgument, _overlap


def test_items_are_read_once_until_their_file_is_another(tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "日本で一番高い山はどこですか"}) + "\n")
    settings = Decontaminate(sets={"mountains": EvaluationSet(path=str(questions))})
    first = _overlap(tmp_path, WriteArgument("a", (), ("a", "b"), settings))
    assert _overlap(tmp_path, WriteArgument("b", (), ("a", "b"), settings)) is first
    assert first.looked_for() == {"mountains": 1}
    with questions.open("a") as more:
        more.write(json.dumps({"question": "日本で一番長い川はどこですか"}) + "\n")
    assert _overlap(tmp_path, WriteArgument("b", (), ("a", "b"), settings)).looked_for() == {"mountains": 2}
