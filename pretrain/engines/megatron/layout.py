"""Which process holds what, decided and checked before anything is allocated."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PretrainedConfig

from configs.errors import AgreedError
from configs.schema.pretrain import Parallel

_BUCKETS = 4
"""At least so many are reduced one by one; a model in one would wait for its last gradient before the first."""


@dataclass(frozen=True)
class Layout:
    """Sizes of the four ways to share, and the vocabulary padded so that tensor ranks get equal shares."""

    tensor: int
    pipeline: int
    context: int
    sequence: bool
    """Whether tensor ranks share the positions between their matrices, too."""
    overlap: bool
    """Whether data ranks exchange gradients and weights while they compute."""
    data: int
    layers_per_stage: int
    vocab_rows: int
    """Of the model that users know."""
    padded_rows: int
    """Of megatron-core's tensors, over all tensor ranks; the rest is zero and takes no part in any number."""

    @property
    def optimizer_shares(self) -> int:
        """Ranks among which the state of each parameter is shared: data and context ranks hold the same weights."""
        return self.data * self.context

    def bucket(self, trained: int) -> int | None:
        """At least so many numbers are reduced together; none: all of them.

        Args:
            trained: numbers of a pipeline stage that are trained.
        """
        if not self.overlap:
            return None
        # megatron-core's own size for large models: the more ranks, the more waiting a reduction costs.
        usual = max(40_000_000, 1_000_000 * self.optimizer_shares)
        return min(usual, max(1, trained // _BUCKETS))

    @property
    def positions_multiple(self) -> int:
        """What the positions of a micro-batch must be a multiple of, to be shared evenly."""
        chunks = 2 * self.context if self.context > 1 else 1
        return chunks * self.tensor if self.sequence else chunks


def plan(config: PretrainedConfig, parallel: Parallel, processes: int) -> Layout:
    """The layout of a model on so many processes.

    Raises:
        UserError: if the processes, or a dimension of the model, cannot be divided so; names all that is wrong.
    """
    tensor, pipeline, context = parallel.tensor, parallel.pipeline, parallel.context
    wrong = []
    if processes % (tensor * pipeline * context):
        wrong.append(
            f"{processes} processes are not a multiple of tensor x pipeline x context "
            f"({tensor} x {pipeline} x {context})"
        )
    for what, count, by, share in (
        ("attention heads", config.num_attention_heads, "tensor", tensor),
        ("key/value heads", config.num_key_value_heads, "tensor", tensor),
        ("hidden size", config.hidden_size, "tensor", tensor),
        ("feed-forward size", config.intermediate_size, "tensor", tensor),
        ("layers", config.num_hidden_layers, "pipeline", pipeline),
    ):
        if count % share:
            wrong.append(f"the model's {count} {what} are not divisible by parallel.{by} ({share})")
    if parallel.sequence and tensor == 1:
        wrong.append("parallel.sequence shares positions among tensor ranks, and parallel.tensor is 1")
    if wrong:
        raise AgreedError(f"pretrain.parallel: {'; '.join(wrong)}")
    return Layout(
        tensor=tensor,
        pipeline=pipeline,
        context=context,
        sequence=parallel.sequence,
        overlap=parallel.overlap,
        data=processes // (tensor * pipeline * context),
        layers_per_stage=config.num_hidden_layers // pipeline,
        vocab_rows=config.vocab_size,
        padded_rows=-(-config.vocab_size // tensor) * tensor,
    )
