"""From stage to stage there is one engine at a time."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest

from configs.schema.run import Run
from pretrain import loop
from pretrain.engines.base import Engine
from pretrain.engines.build import build_engine
from pretrain.train import train

STAGES = (
    "pretrain.stages={rows: {tokens: 512, mixture: {inhouse: 1}, train: new_rows},"
    " all: {tokens: 512, mixture: {inhouse: 1}}}"
)


def test_the_engine_of_a_stage_is_gone_before_that_of_the_next_is_built(
    packed: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[weakref.ref[Engine]] = []
    alive: list[bool] = []

    def build(*arguments: Any) -> Engine:
        alive.extend(one() is not None for one in built)
        engine = build_engine(*arguments)
        built.append(weakref.ref(engine))
        return engine

    monkeypatch.setattr(loop, "build_engine", build)
    train(packed(STAGES))
    assert len(built) == 2
    assert alive == [False]
