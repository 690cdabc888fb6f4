"""Plain torch on one process: the engine that says what the right numbers are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch

from pretrain.checkpoint.boxes import Box
from pretrain.engines import adamw, hf_model
from pretrain.engines.base import EngineSpec, Group, Kind, Limits, StatePart, StateReader, StepSums
from pretrain.engines.gradients import clip, sum_of_squares
from pretrain.engines.masters import Masters
from pretrain.engines.new_rows import NewRows
from pretrain.engines.next_tokens import Choice, NextTokens
from pretrain.engines.stopwatch import Stopwatch
from pretrain.micro_batch import MicroBatch

_MOMENTS: tuple[Kind, ...] = ("exp_avg", "exp_avg_sq")


class SingleEngine:
    """An HF model and torch's AdamW."""

    def __init__(self, spec: EngineSpec) -> None:
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._forward = Stopwatch(self._device)
        model = hf_model.empty_model(
            hf_model.config_of(spec), hf_model.DTYPES[spec.precision], kernel=spec.attention, device=self._device
        )
        if spec.recompute == "layers":
            hf_model.recompute_layers(model)
        self._module = hf_model.PackedLoss(model, spec.optim.z_loss).to(self._device)
        self._parameters = hf_model.named_parameters(model)
        embeddings = hf_model.embedding_names(model)
        adamw.freeze(self._parameters, embeddings, spec.train)
        self._masters = Masters(self._parameters) if spec.precision == "bf16" else None
        if self._masters is not None:
            self._parameters = self._masters.parameters
        self._new_rows = NewRows(
            [self._parameters[name][spec.first_new_row :] for name in self._parameters if name in embeddings]
        )
        self._frozen_rows: list[tuple[torch.nn.Parameter, int]] = []
        if spec.train == "new_rows":
            self._frozen_rows = [(self._parameters[name], spec.first_new_row) for name in sorted(embeddings)]
        self._clip_norm = spec.optim.clip_norm
        self._optimizer = adamw.build(self._parameters, embeddings, spec.optim)

    @property
    def data_rank(self) -> tuple[int, int]:
        return (0, 1)

    def train_step(
        self, micro_batches: Sequence[MicroBatch], lr_by_group: Mapping[Group, float], limits: Limits
    ) -> StepSums:
        tokens = sum(batch.labelled for batch in micro_batches)
        nll = torch.zeros((), dtype=torch.float64, device=self._device)
        self._module.train()
        self._optimizer.zero_grad(set_to_none=True)
        for batch in micro_batches:
            with self._forward.running():
                objective, nll_T = hf_model.losses(self._module, batch, self._device)
            (objective / max(tokens, 1)).backward()
            nll += nll_T.sum()
        for parameter, first_new_row in self._frozen_rows:
            if parameter.grad is not None:
                parameter.grad[:first_new_row] = 0
        gradients = [parameter.grad for parameter in self._parameters.values() if parameter.grad is not None]
        norm = math.sqrt(sum_of_squares(gradients))
        if not limits.allow(norm, float(nll), tokens):
            return StepSums(float(nll), tokens, norm, skipped=True)
        clip(gradients, norm, self._clip_norm)
        adamw.set_rates(self._optimizer, lr_by_group)
        with self._new_rows.scaled(lr_by_group["new_rows"], lr_by_group["embeddings"]):
            self._optimizer.step()
        self._to_model()
        return StepSums(float(nll), tokens, norm, skipped=False)

    def forward_s(self) -> float:
        return self._forward.take()

    def eval_sums(self, micro_batches: Sequence[MicroBatch]) -> dict[int, tuple[float, int]]:
        totals: dict[int, tuple[float, int]] = {}
        self._module.eval()
        with torch.no_grad():
            for batch in micro_batches:
                hf_model.by_source(hf_model.losses(self._module, batch, self._device).nll.cpu(), batch, totals)
        return totals

    def next_tokens(self, micro_batch: MicroBatch, choice: Choice) -> NextTokens:
        self._module.eval()
        return hf_model.next_tokens(self._module, micro_batch, self._device, choice)

    def local_state(self) -> Iterator[StatePart]:
        for name, parameter in self._parameters.items():
            shape = tuple(parameter.shape)
            whole = Box.whole(shape)
            yield StatePart(name, shape, whole, "master", parameter.detach())
            moments = self._optimizer.state.get(parameter, {})
            for kind in _MOMENTS:
                if kind in moments:
                    yield StatePart(name, shape, whole, kind, moments[kind])

    @torch.no_grad()
    def load_state(self, reader: StateReader, step: int) -> None:
        self._optimizer.state.clear()
        for name, parameter in self._parameters.items():
            whole = Box.whole(parameter.shape)
            parameter.copy_(reader.read(name, whole, "master"))
            if reader.has_moments and step > 0 and parameter.requires_grad:
                state = {kind: reader.read(name, whole, kind).to(self._device) for kind in _MOMENTS}
                self._optimizer.state[parameter] = {"step": torch.tensor(float(step), device=self._device), **state}
        self._to_model()

    def _to_model(self) -> None:
        if self._masters is not None:
            self._masters.to_model()

    def close(self) -> None:
        self._optimizer.state.clear()


def build(spec: EngineSpec) -> SingleEngine:
    """The engine on this process; needs no process group."""
    return SingleEngine(spec)
