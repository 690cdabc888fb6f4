"""When two engines, or two layouts of one, have computed the same."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch

from configs.artifact import Artifact
from configs.errors import UserError
from pretrain.checkpoint.boxes import Box
from pretrain.checkpoint.directory import step_dir
from pretrain.checkpoint.reader import CheckpointReader
from pretrain.engines.base import Kind

if TYPE_CHECKING:
    from tests.pretrain.engines.conftest import Jobs

LOSS, NORM, STATE = 2e-6, 2e-5, 2e-5
"""Relative differences allowed in fp32. A wrong weight decay shows as 3e-5 in the losses and 2e-4 in the state."""

MOMENTS: tuple[Kind, ...] = ("exp_avg", "exp_avg_sq")


def assert_same_steps(seen: list[Any], expected: list[Any]) -> None:
    assert len(seen) == len(expected) > 0
    for (nll, tokens, norm, skipped), (right_nll, right_tokens, right_norm, right_skipped) in zip(
        seen, expected, strict=True
    ):
        assert (tokens, skipped) == (right_tokens, right_skipped)
        assert nll / tokens == pytest.approx(right_nll / right_tokens, rel=LOSS)
        assert norm == pytest.approx(right_norm, rel=NORM)


def assert_same_sums(seen: list[Any], expected: list[Any]) -> None:
    assert [(source, tokens) for source, _, tokens in seen] == [(source, tokens) for source, _, tokens in expected]
    for (_, nll, _), (_, right, _) in zip(seen, expected, strict=True):
        assert nll == pytest.approx(right, rel=LOSS)


def assert_bitwise_equal(
    seen: dict[tuple[str, Kind], torch.Tensor], expected: dict[tuple[str, Kind], torch.Tensor]
) -> None:
    assert seen.keys() == expected.keys()
    assert {kind for _, kind in expected} == {"master", *MOMENTS}
    for key, right in expected.items():
        assert torch.equal(seen[key], right), key


def state(jobs: Jobs, layout: str, case: str, step: int) -> dict[tuple[str, Kind], torch.Tensor]:
    """All tensors of a checkpoint, put together."""
    reader = CheckpointReader(Artifact.open(step_dir(Path(jobs.checkpoints(layout, case)), step), check="sha256"))
    held: dict[tuple[str, Kind], torch.Tensor] = {}
    for name, shape in reader.shapes.items():
        held[name, "master"] = reader.read(name, Box.whole(shape), "master")
        for kind in MOMENTS:
            with contextlib.suppress(UserError):  # a frozen tensor has none
                held[name, kind] = reader.read(name, Box.whole(shape), kind)
    return held
