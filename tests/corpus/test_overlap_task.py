"""What must not be trained on is made once and read from its files by every task that looks for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from configs.artifact import Claim
from configs.schema.decontaminate import Decontaminate, EvaluationSet
from corpus.arrays import write_arrays
from corpus.decontaminate import held_out_grams
from corpus.overlap_task import OverlapArgument, make_overlap, mapped_overlap
from tests.corpus.conftest import prose

QUESTIONS = {"mountains": "日本で一番高い山はどこですか", "rivers": "日本で一番長い川はどこですか"}


@pytest.mark.parametrize("shards", [0, 1, 3])
def test_items_of_sets_and_pieces_of_all_shards_are_looked_for_from_the_files(tmp_path: Path, shards: int) -> None:
    sets = {}
    for name, question in QUESTIONS.items():
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"question": question}) + "\n")
        sets[name] = EvaluationSet(path=str(tmp_path / f"{name}.jsonl"))
    settings = Decontaminate(sets=sets)
    claim = Claim(tmp_path, "overlap-all", "digest")
    for number in range(shards):
        grams = held_out_grams(prose(2 * number + one, 8) for one in range(number))
        with claim.file(f".tasks/held_out_pieces/web-{number}.bin") as out:
            write_arrays(
                out, [np.array([one.size for one in grams], np.int64), np.concatenate([np.empty(0, np.uint64), *grams])]
            )
    looked_for = make_overlap(claim, OverlapArgument(tuple(f"web-{number}" for number in range(shards)), settings))
    assert looked_for == {"mountains": 1, "rivers": 1}
    texts = [prose(40, 8), *(f"{prose(50)}\n{question}" for question in QUESTIONS.values())]
    texts += [f"{prose(60)}\n{prose(2 * number + one, 8)}" for number in range(3) for one in range(number)]
    found = mapped_overlap(tmp_path, settings, looked_for).reasons(pa.array(texts, pa.large_string())).to_pylist()
    held_out = ["contaminated.held_out" if number < shards else None for number in range(3) for one in range(number)]
    assert found == [None, "contaminated.mountains", "contaminated.rivers", *held_out]
