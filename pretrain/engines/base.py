"""The protocol behind which the training frameworks stay.

Only files in this folder import DeepSpeed or megatron-core. An engine holds the model, its optimizer and this
rank's share of both; the loop, the data order, the schedule and the checkpoint format are the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch

from configs.schema.pretrain import AttentionKernel, Optim, Parallel, Trained
from pretrain.checkpoint.boxes import Box
from pretrain.engines.next_tokens import Choice, NextTokens
from pretrain.micro_batch import MicroBatch

Kind = Literal["master", "exp_avg", "exp_avg_sq"]
"""fp32 weights, and Adam's first and second moment."""

Group = Literal["matrices", "vectors", "embeddings", "new_rows"]
"""Parameters by treatment. matrices: two-dimensional weights, decayed. vectors: norms and biases, no decay.
embeddings: input and output embedding, no decay. new_rows: the rows of new tokens in them, no decay."""


@dataclass(frozen=True)
class EngineSpec:
    """What an engine is built from."""

    hf_dir: Path
    """HF folder: its config names the architecture; weights come through `load_state`."""
    vocab_rows: int
    """Rows of the embeddings: the extended tokenizer's, padding included."""
    first_new_row: int
    """Rows from here on belong to new tokens (or padding)."""
    train: Trained
    """What this stage changes; embeddings and new_rows leave every other number bitwise as it is."""
    optim: Optim
    parallel: Parallel
    precision: Literal["bf16", "fp32"] = "fp32"
    """What matrices multiply in; fp32 weights, moments and sums in either."""
    recompute: Literal["none", "layers"] = "none"
    """Whether activations within a layer are computed again in the backward pass."""
    attention: AttentionKernel = "sdpa"
    """The kernel of attention, which has proved itself."""
    rope_base: float | None = None
    """Base of the rotary embedding in this stage; none keeps the model's."""
    seq_len: int | None = None
    """Longest sequence, in tokens, that it is to be trained on; none if that is not known."""


@dataclass(frozen=True)
class Limits:
    """What a step must keep to; one that does not is skipped before anything changes."""

    grad_norm: float
    """Of the gradient of the mean loss, before clipping."""
    nll_per_token: float = math.inf
    """Of the mean loss, in nats."""

    def allow(self, grad_norm: float, nll: float, tokens: int) -> bool:
        """Whether a step may be taken; never with a number that is not finite.

        Args:
            nll: sum over the labelled tokens, nats.
            tokens: how many there are, over all ranks.
        """
        loss = nll / max(tokens, 1)
        return math.isfinite(grad_norm + loss) and grad_norm <= self.grad_norm and loss <= self.nll_per_token


@dataclass(frozen=True)
class StepSums:
    """What one optimizer step did; equal on every rank."""

    nll: float
    """Sum over labelled tokens of the negative log-likelihood, in nats, over all ranks."""
    tokens: int
    """Labelled tokens over all ranks."""
    grad_norm: float
    """Global L2 norm of the gradient of the mean loss, before clipping."""
    skipped: bool
    """True if the step did not keep to the limits, and nothing was changed."""


@dataclass(frozen=True)
class StatePart:
    """A piece of the state that this rank owns."""

    name: str
    """HF name of the tensor, e.g. model.layers.0.self_attn.q_proj.weight."""
    shape: tuple[int, ...]
    """Shape of the whole HF tensor."""
    box: Box
    """Which part of it this is."""
    kind: Kind
    tensor: torch.Tensor
    """float32 values of the box, in the box's shape."""


class StateReader(Protocol):
    """Gives any box of the state, whoever wrote it."""

    @property
    def has_moments(self) -> bool:
        """Whether there are Adam moments to read; without, they start at zero."""
        ...

    def read(self, name: str, box: Box, kind: Kind) -> torch.Tensor:
        """float32 values in the box's shape."""
        ...


class Engine(Protocol):
    """A model in training on this rank."""

    @property
    def data_rank(self) -> tuple[int, int]:
        """(rank, size) among the ranks that get different data; ranks with the same rank bring the same batches."""
        ...

    def train_step(
        self, micro_batches: Sequence[MicroBatch], lr_by_group: Mapping[Group, float], limits: Limits
    ) -> StepSums:
        """One optimizer step on this rank's micro-batches; every rank brings equally many.

        Labelled tokens are counted over all ranks before the first forward pass and every token weighs the same,
        so that neither the number of ranks nor the size of a micro-batch changes a number.
        """
        ...

    def forward_s(self) -> float:
        """Seconds that the forward passes of training steps took on this rank since it was last asked."""
        ...

    def eval_sums(self, micro_batches: Sequence[MicroBatch]) -> dict[int, tuple[float, int]]:
        """By source: sum of negative log-likelihood (nats) and labelled tokens, over all ranks; no gradients."""
        ...

    def next_tokens(self, micro_batch: MicroBatch, choice: Choice) -> NextTokens:
        """What the model would write next at each labelled position, in their order; which label it is is not read.

        Every rank brings the same micro-batch and gets the same answer, on the host; no weight is gathered that a
        forward pass does not gather.
        """
        ...

    def local_state(self) -> Iterator[StatePart]:
        """What this rank owns; over all ranks every number occurs exactly once. Local, never collective."""
        ...

    def load_state(self, reader: StateReader, step: int) -> None:
        """Take weights and moments; `step` is Adam's step count (0: moments start afresh).

        Each rank reads only what it holds; all ranks call it, because some then gather what others have read.
        """
        ...

    def close(self) -> None:
        """Free what the framework holds."""
        ...
