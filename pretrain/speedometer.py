"""Measures how fast the steps of a run are, on every rank, and puts it together now and then."""

from __future__ import annotations

import logging
import socket
from collections.abc import Sequence

from configs.schema.pretrain import Log
from pretrain import hardware, ranks
from pretrain.engines.base import Engine
from pretrain.engines.process_group import rows_of_all
from pretrain.flops import ModelFlops, causal_pairs, utilisation
from pretrain.job import TrainStage
from pretrain.micro_batch import MicroBatch
from pretrain.speed import Speed, Window
from pretrain.stragglers import Stragglers

_log = logging.getLogger(__name__)


class Speedometer:
    """Adds up steps on this rank; reading it asks all ranks, once. Making one is collective.

    Args:
        flops: of the model that is trained.
        pipeline: stages that it is cut into.
    """

    def __init__(self, settings: Log, flops: ModelFlops, pipeline: int = 1) -> None:
        self._flops, self._pipeline = flops, pipeline
        self._peak_flops = hardware.peak_flops()
        if self._peak_flops is None and ranks.rank() == 0:
            _log.info("utilisation is not measured: configs/tables/devices.yaml has no peak of %s", hardware.name())
        self.hosts = ranks.of_all(socket.gethostname())
        self.stragglers = Stragglers(settings, self.hosts)
        self._window, self._steps, self._tokens = Window(), 0, 0

    def add(self, batches: Sequence[MicroBatch], waited_s: float, step_s: float) -> None:
        """Count a step.

        Args:
            waited_s: seconds until the micro-batches were there.
            step_s: seconds of the whole step.
        """
        self._window.data_wait_s += waited_s
        self._window.step_s += step_s
        self._window.pairs += sum(causal_pairs(batch.cu_seqlens.tolist()) for batch in batches)
        self._tokens += sum(len(batch.tokens_T) for batch in batches)
        self._steps += 1

    @property
    def steps(self) -> int:
        """Counted since it was last read."""
        return self._steps

    def read(self, engine: Engine, stage: TrainStage) -> Speed:
        """The steps since it was last read, of which there must be one, over all ranks. Collective."""
        window, steps, replicas = self._window, self._steps, engine.data_rank[1]
        window.forward_s = engine.forward_s()
        window.memory_bytes = float(hardware.peak_memory_bytes())
        table = [Window(*row) for row in rows_of_all(window.to_row())]
        tokens = self._tokens * replicas
        self._window, self._steps, self._tokens = Window(), 0, 0
        used: float | None = None
        # Where weights are frozen, a step needs less than the model's FLOPs.
        if self._peak_flops is not None and stage.train == "all":
            # Ranks that share a model have the same micro-batches.
            pairs = sum(each.pairs for each in table) * replicas / len(table)
            seconds = max(each.step_s for each in table)
            used = utilisation(self._flops.of_step(tokens, round(pairs)), seconds, len(table), self._peak_flops)
        return Speed.of(table, steps, tokens, pipeline=self._pipeline, utilisation=used)
