"""What a speedometer counts between two readings."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from configs.schema.pretrain import Log, Trained
from pretrain import hardware
from pretrain.batching import Batching
from pretrain.flops import ModelFlops
from pretrain.job import TrainStage
from pretrain.micro_batch import MicroBatch
from pretrain.speedometer import Speedometer

TOKENS = torch.zeros(8, dtype=torch.int64)
BATCH = MicroBatch(TOKENS, TOKENS, TOKENS, torch.tensor([0, 3, 8], dtype=torch.int32), TOKENS)
PAIRS = 6 + 15


@dataclass
class TimedEngine:
    """The part of an engine that is asked."""

    data_rank: tuple[int, int] = (0, 1)

    def forward_s(self) -> float:
        return 0.5


def stage(train: Trained = "all") -> TrainStage:
    """A stage that trains so much."""
    return TrainStage("only", 0, 4, train, Batching(0, 0, 2, 1, 8), None)


def test_reading_starts_anew() -> None:
    speedometer = Speedometer(Log(), ModelFlops(1, 1))
    speedometer.add([BATCH, BATCH], waited_s=0.1, step_s=1.0)
    speedometer.add([BATCH, BATCH], waited_s=0.3, step_s=3.0)
    speed = speedometer.read(TimedEngine(), stage())  # type: ignore[arg-type]  # the part of an engine that is used
    assert (speed.steps, speed.tokens, speed.step_s) == (2, 32, 2.0)
    assert speed.data_wait == pytest.approx(0.1)
    speedometer.add([BATCH], waited_s=0.0, step_s=1.0)
    speed = speedometer.read(TimedEngine(), stage())  # type: ignore[arg-type]  # as above
    assert (speed.steps, speed.tokens, speed.step_s, speed.data_wait) == (1, 8, 1.0, 0.0)


@pytest.mark.parametrize(("train", "expected"), [("all", (10 * 16 + 2 * PAIRS * 2) / (2.0 * 1000)), ("new_rows", None)])
def test_utilisation_is_of_steps_that_train_the_whole_model(
    monkeypatch: pytest.MonkeyPatch, train: Trained, expected: float | None
) -> None:
    monkeypatch.setattr(hardware, "peak_flops", lambda: 1000.0)  # a GPU's, which the tests have not
    speedometer = Speedometer(Log(), ModelFlops(per_token=10, per_pair=2))
    speedometer.add([BATCH, BATCH], waited_s=0.0, step_s=2.0)
    speed = speedometer.read(TimedEngine(), stage(train))  # type: ignore[arg-type]  # as above
    assert speed.utilisation == (None if expected is None else pytest.approx(expected))


def test_that_no_peak_is_known_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    if torch.cuda.is_available():
        pytest.skip("a GPU may have a peak")
    with caplog.at_level("INFO", "pretrain.speedometer"):
        speedometer = Speedometer(Log(), ModelFlops(1, 1))
        for _ in range(2):
            speedometer.add([BATCH], waited_s=0.0, step_s=1.0)
            assert speedometer.read(TimedEngine(), stage()).utilisation is None  # type: ignore[arg-type]  # as above
    assert caplog.text.count("configs/tables/devices.yaml has no peak of the CPU") == 1
