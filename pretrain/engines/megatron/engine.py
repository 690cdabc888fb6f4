"""megatron-core: tensor, pipeline, context and data parallelism.

megatron-core builds the model, moves activations and gradients, and shards the optimizer; what a step means is
decided here, the same as in the single engine. With bf16, matrices multiply in bfloat16 and activations and their
gradients travel in it; weights' gradients are summed, and masters and moments kept, in fp32 all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.distributed import finalize_model_grads
from megatron.core.pipeline_parallel import get_forward_backward_func
from transformers import PretrainedConfig

from pretrain.attention.kernels import loaded
from pretrain.attention.need import Need
from pretrain.engines import adamw, hf_model, process_group, shards
from pretrain.engines.base import EngineSpec, Group, Limits, StatePart, StateReader, StepSums
from pretrain.engines.gradients import clip
from pretrain.engines.hf_model import DTYPES
from pretrain.engines.inner_step import InnerStep
from pretrain.engines.megatron import context, versions
from pretrain.engines.megatron import model as core
from pretrain.engines.megatron import optimizer as distributed
from pretrain.engines.megatron.cpu_shim import device_scope
from pretrain.engines.megatron.layout import Layout, plan
from pretrain.engines.megatron.packed_attention import here
from pretrain.engines.megatron.places import CorePlaces
from pretrain.engines.megatron.vocab_loss import token_losses
from pretrain.engines.megatron.vocab_next import next_tokens
from pretrain.engines.new_rows import NewRows
from pretrain.engines.next_tokens import Choice, NextTokens, from_holders
from pretrain.engines.stopwatch import Stopwatch
from pretrain.micro_batch import NO_LABEL, MicroBatch
from pretrain.models.family import family
from pretrain.models.rows import check_complete

_INPUT, _OUTPUT = "embedding.word_embeddings.weight", "output_layer.weight"
_EMBEDDINGS = frozenset({_INPUT, _OUTPUT})
HeadT = TypeVar("HeadT")
_Head = Callable[[torch.Tensor, MicroBatch], tuple[torch.Tensor, HeadT]]
"""From the logits of this rank's positions and rows, and its share of the micro-batch, to what is minimised and what
is wanted of it."""


class MegatronEngine:
    """This rank's part of a GPTModel, and its share of AdamW."""

    def __init__(self, spec: EngineSpec, layout: Layout, config: PretrainedConfig, device: torch.device) -> None:
        self._spec, self._layout, self._device = spec, layout, device
        self._forward_time = Stopwatch(device)
        with device_scope():
            core.join_groups(layout)
            self._tp_rank = parallel_state.get_tensor_model_parallel_rank()
            model = core.build(config, layout, spec)
            self._parameters = parameters = core.core_names(model, layout)
            self._places = _checked_places(config, layout, self._tp_rank, parameters)
            adamw.freeze(parameters, _EMBEDDINGS, spec.train)
            self._adamw = adamw.build(parameters, _EMBEDDINGS, spec.optim)
            self._model = core.wrap(model, layout)
            self._optimizer = distributed.distribute(self._adamw, self._model, layout)
        self._config = model.config
        self._config.finalize_model_grads_func = _reduce_gradients
        self._rotary = family(config.model_type).rotary(config).to(device)
        need = Need.of(config, DTYPES[spec.precision], device, tensor=layout.tensor, context=layout.context)
        self._attend = loaded(spec.attention, need)
        self._shards = list(distributed.shards(self._optimizer, parameters, layout, self._places.copies()))
        new_rows = [
            shard.rows(shard.of(shard.holder), self._first_new_row(shard), None)
            for shard in self._shards
            if shard.name in _EMBEDDINGS
        ]
        self._inner_step = InnerStep(self._adamw, NewRows(new_rows))

    def _first_new_row(self, shard: shards.Shard) -> int:
        """The first new row as this tensor rank counts the rows of its embedding."""
        here: int = self._spec.first_new_row - self._tp_rank * shard.shape[0]
        return min(max(here, 0), shard.shape[0])

    @property
    def data_rank(self) -> tuple[int, int]:
        return (parallel_state.get_data_parallel_rank(), self._layout.data)

    def train_step(
        self, micro_batches: Sequence[MicroBatch], lr_by_group: Mapping[Group, float], limits: Limits
    ) -> StepSums:
        tokens = self._tokens_over_ranks(micro_batches)
        with device_scope():
            self._model.train()
            self._model.zero_grad_buffer()
            self._optimizer.zero_grad()
            losses = self._run(micro_batches, self._losses(tokens), forward_only=False)
            self._optimizer.prepare_grads()
        nll = sum(float(nll_T.double().sum()) for nll_T, _ in losses) if self._tp_rank == 0 else 0.0
        nll_over_ranks = process_group.sum_over_ranks([nll], self._device)[0]
        gradients = self._masked_gradients()
        norm = shards.global_norm((shard.within(flat, *shard.owned) for shard, flat in gradients), self._device)
        skipped = not limits.allow(norm, nll_over_ranks, tokens)
        if not skipped:
            clip((flat for _, flat in gradients), norm, self._spec.optim.clip_norm)
            self._inner_step.take(lr_by_group)
            with device_scope():
                self._optimizer.step_with_ready_grads()
        return StepSums(nll_over_ranks, tokens, norm, skipped)

    def _tokens_over_ranks(self, micro_batches: Sequence[MicroBatch]) -> int:
        here = len(micro_batches)
        first_of_replica = (
            dist.get_rank(parallel_state.get_model_parallel_group()) == 0
            and parallel_state.get_context_parallel_rank() == 0
        )
        tokens, total = process_group.sum_over_ranks(
            [sum(batch.labelled for batch in micro_batches) if first_of_replica else 0, here], self._device
        )
        if total != here * dist.get_world_size():
            raise ValueError(f"rank {dist.get_rank()} brings {here} micro-batches, all ranks together {total:.0f}")
        return int(tokens)

    def _run(self, micro_batches: Sequence[MicroBatch], head: _Head[HeadT], *, forward_only: bool) -> list[HeadT]:
        """Take the micro-batches through the pipeline; gives what `head` makes of each to the last stage."""
        whole = [context.padded(batch, self._layout.positions_multiple) for batch in micro_batches]
        lengths = {len(batch.tokens_T) for batch in whole}
        # Stages tell each other the shapes of what they send only when they cannot know them.
        self._config.variable_seq_lengths = self._layout.pipeline > 1 and len(lengths) > 1
        made: list[HeadT] = get_forward_backward_func()(
            forward_step_func=partial(self._forward, head),
            data_iterator=iter([self._share(batch) for batch in whole]),
            model=[self._model],
            num_microbatches=len(micro_batches),
            seq_length=max(lengths),
            micro_batch_size=1,
            forward_only=forward_only,
        )
        return made

    def _share(self, batch: MicroBatch) -> context.Share:
        held = context.share(batch, parallel_state.get_context_parallel_rank(), self._layout.context)
        return replace(held, batch=held.batch.to(self._device))

    def _forward(self, head: _Head[Any], shares: Iterator[context.Share], model: Any) -> tuple[torch.Tensor, Any]:
        share = next(shares)
        batch = share.batch
        with self._forward_time.running() if model.training else nullcontext():
            out: torch.Tensor = model(
                input_ids=batch.tokens_T[None],
                position_ids=batch.positions_T[None],
                attention_mask=None,
                packed_seq_params=core.packed(here(share, self._attend, self._rotary)),
            )

        def of_logits(logits_1TV: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, Any]:
            objective, made = head(logits_1TV.squeeze(0), batch)  # an index would copy the gradient
            no_count = torch.zeros((), dtype=torch.int, device=logits_1TV.device)  # tokens are counted already
            return objective, no_count, made

        return out, of_logits

    def _losses(self, tokens: int) -> _Head[tuple[torch.Tensor, MicroBatch]]:
        """What gives the losses of a micro-batch by position; minimised is their sum over so many tokens."""

        def head(logits_TV: torch.Tensor, batch: MicroBatch) -> tuple[torch.Tensor, tuple[torch.Tensor, MicroBatch]]:
            objective, nll_T = token_losses(logits_TV, batch.labels_T, self._layout, self._spec.optim.z_loss)
            return objective / max(tokens, 1), (nll_T, batch)

        return head

    def _masked_gradients(self) -> list[tuple[shards.Shard, torch.Tensor]]:
        gradients = []
        for shard in self._shards:
            if shard.trained:
                flat = shard.holder.grad.view(-1)  # type: ignore[union-attr]  # prepare_grads has set it
                if self._spec.train == "new_rows":
                    shard.rows(flat, None, self._first_new_row(shard)).zero_()
                gradients.append((shard, flat))
        return gradients

    def forward_s(self) -> float:
        return self._forward_time.take()

    def eval_sums(self, micro_batches: Sequence[MicroBatch]) -> dict[int, tuple[float, int]]:
        totals: dict[int, tuple[float, int]] = {}
        if micro_batches:
            with torch.no_grad(), device_scope():
                self._model.eval()
                for nll_T, batch in self._run(micro_batches, self._losses(1), forward_only=True):
                    hf_model.by_source(nll_T, batch, totals)
        return process_group.sum_by_source(totals, self._device, count_here=self._tp_rank == 0)

    def next_tokens(self, micro_batch: MicroBatch, choice: Choice) -> NextTokens:
        asked_T = micro_batch.labels_T != NO_LABEL
        # Asked positions are numbered as if they were sources, to be known again where context ranks share them.
        numbered = replace(micro_batch, source_T=asked_T.cumsum(0) - 1)

        def head(logits_TV: torch.Tensor, batch: MicroBatch) -> tuple[torch.Tensor, tuple[torch.Tensor, NextTokens]]:
            here_N = (batch.labels_T != NO_LABEL).nonzero()[:, 0]
            return logits_TV.new_zeros(()), (
                batch.source_T[here_N],
                next_tokens(logits_TV[here_N], self._layout, choice),
            )

        with torch.no_grad(), device_scope():
            self._model.eval()
            held = self._run([numbered], head, forward_only=True)
        if self._tp_rank or parallel_state.get_data_parallel_rank():
            held = []  # other ranks have the same
        return from_holders(held, int(asked_T.sum()), choice, self._device)

    def local_state(self) -> Iterator[StatePart]:
        return shards.local_state(self._shards, self._adamw, self._places)

    def load_state(self, reader: StateReader, step: int) -> None:
        held = [*self._shards, *distributed.rounded(self._parameters)]
        shards.load_state(held, self._adamw, self._places, reader, step)
        distributed.to_model(self._shards, self._parameters)
        with device_scope():
            self._model.start_param_sync(force_sync=True)

    def close(self) -> None:
        self._inner_step.remove()
        self._adamw.state.clear()


def _reduce_gradients(model: list[Any], num_tokens: Any = None, **groups: Any) -> None:
    """megatron-core's own reduction over data ranks and tied embeddings, without its division by tokens."""
    finalize_model_grads(model, None, **groups)


def _checked_places(
    config: PretrainedConfig, layout: Layout, tp_rank: int, parameters: Mapping[str, torch.nn.Parameter]
) -> CorePlaces:
    """The table of the family, once it explains every tensor of both models."""
    table = family(config.model_type).rows(config)
    with torch.device("meta"):
        hf_shapes = {
            name: tuple(parameter.shape)
            for name, parameter in hf_model.named_parameters(hf_model.empty_model(config)).items()
        }
    everywhere: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everywhere, list(parameters))
    # With tied embeddings, the last stage's output layer is a copy of the first stage's embedding.
    aliases = {_OUTPUT: _INPUT} if config.tie_word_embeddings else {}
    check_complete(table, hf_shapes, {name for names in everywhere for name in names} - aliases.keys())
    places = CorePlaces(table, layout, tp_rank, aliases)
    places.check(parameters)
    return places


def build(spec: EngineSpec) -> MegatronEngine:
    """The engine on this process; joins the others.

    Raises:
        UserError: if the layout is impossible or the version unknown, before anything is allocated.
    """
    versions.check()
    config = hf_model.config_of(spec)
    layout = plan(config, spec.parallel, process_group.world_size())
    return MegatronEngine(spec, layout, config, process_group.start())
