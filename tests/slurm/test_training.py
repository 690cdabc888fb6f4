"""What `status` knows of a training that is going on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from slurm.status import StageStatus, lines
from slurm.training import Training
from tests.tiny import tiny_run


def test_a_straggler_of_the_latest_measurement_is_shown_while_training_runs(tmp_path: Path) -> None:
    straggler = {"rank": 3, "host": "node2", "behind": 0.34, "intervals": 5}
    speeds: list[dict[str, object]] = [
        {"kind": "speed", "step": step, "tokens_per_s": 64.0, "stragglers": []} for step in (1, 2)
    ]
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"kind": "step", "step": 2, "tokens": 512}) + "\n")
    (tmp_path / "speed.jsonl").write_text("".join(json.dumps(line) + "\n" for line in speeds))
    settings = tiny_run(tmp_path).pretrain
    assert Training.of(tmp_path, settings).stragglers == ()
    with open(tmp_path / "speed.jsonl", "a") as out:
        out.write(json.dumps({**speeds[1], "stragglers": [straggler]}) + "\n")
    training = Training.of(tmp_path, settings)
    assert training.stragglers == (straggler,)
    told = {
        state: "\n".join(lines([StageStatus("train", state, ("1",), training=training)]))
        for state in ("running", "complete")
    }
    assert "rank 3 on node2 holds the others up: 34 % slower than the rank in the middle, 5 m" in told["running"]
    assert "rank 3" not in told["complete"]


def test_what_people_see_of_a_running_training_and_of_one_that_waits() -> None:
    training = Training(step=40, steps=160, tokens=10240, tokens_per_s=2048.4, utilisation=0.412, left_s=15.0)
    runs = StageStatus(
        "train", "running", ("12", "13"), nodes="node[1-2]", restarts=2, training=training,
        expected_end="2026-01-02T03:04:05+00:00", last_lines=("step 40",),
    )  # fmt: skip
    waits = StageStatus("export", "waiting", ("14",), reason="Dependency", last_lines=("of an earlier job",))
    assert lines([runs, waits]) == [
        "train      running    jobs 12 to 13  node[1-2]  2 restart(s)",
        "           step 40/160  10,240 tokens  2,048 tokens/s  MFU 41.2 %  ends 2026-01-02T03:04:05+00:00",
        "           | step 40",
        "export     waiting    job 14  Dependency",
    ]


def test_the_end_is_expected_at_the_latest_speed(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text(json.dumps({"kind": "step", "step": 2, "tokens": 512}) + "\n")
    speed = {"kind": "speed", "step": 2, "tokens_per_s": 64.0, "utilisation": 0.4}
    (tmp_path / "speed.jsonl").write_text(json.dumps(speed) + '\n{"kind": "spe')
    training = Training.of(tmp_path, tiny_run(tmp_path).pretrain)
    assert (training.steps, training.left_s, training.utilisation) == (12, 10 * 256 / 64.0, 0.4)
    assert training.ends(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:40+00:00"
