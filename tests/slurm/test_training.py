"""What `status` knows of a training that is going on."""

from __future__ import annotations

import json
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
