"""Memory of what a forward pass leaves for the backward pass, by formula.

Source: Korthikanti et al., arXiv:2205.05198, sections 4 and 5, without dropout; with attention that keeps one number
per head and token instead of the scores (FlashAttention, arXiv:2205.14135); with the gated feed-forward layer's four
tensors and with norms that compute in float32, as both of our models have them. Tests hold the formula against what
torch keeps.
"""

from __future__ import annotations

from pretrain.engines.loss_head import LOGITS_AT_ONCE
from pretrain.estimate.held import Held
from pretrain.estimate.setup import Model, Setup
from pretrain.models.decoder import head_dim

_FP32 = 4


def bytes_per_number(setup: Setup) -> int:
    """What matrices multiply in."""
    return 2 if setup.precision == "bf16" else _FP32


def layer_bytes(model: Model, setup: Setup) -> float:
    """What one layer keeps of one token on one rank, whose context ranks hold other tokens."""
    config, width = model.config, bytes_per_number(setup)
    heads = int(config.num_attention_heads)
    hidden, queries, inner = int(config.hidden_size), heads * head_dim(config), int(config.intermediate_size)
    # Two norms keep their input in float32, their result, and a number; two inputs of matrices are as wide.
    between = 2 * (_FP32 + width) * hidden + 2 * width * hidden + 2 * _FP32
    # The result, and once more as the input of the last matrix; queries; keys and values, repeated for grouped heads as
    # sdpa wants them. Other kernels do not, but which one will prove itself is not known here.
    attention = 3 * width * queries + 2 * width * queries * setup.parallel.context + _FP32 * heads
    if any(name.endswith("q_norm.weight") for name in model.parameters.shapes):
        attention += (_FP32 + width) * (queries + int(config.num_key_value_heads) * head_dim(config))
    feed_forward = 4 * width * inner
    return between / _share_between(setup) + (attention + feed_forward) / setup.parallel.tensor


def _share_between(setup: Setup) -> int:
    """Ranks that share what stands between the matrices of tensor parallelism."""
    return setup.parallel.tensor if setup.parallel.sequence else 1


def kept_bytes(model: Model, setup: Setup, here: Held) -> float:
    """What a rank of a stage keeps at the height of its forward passes.

    A pipeline stage keeps one micro-batch for each stage from itself to the last (one forward, one backward schedule).
    """
    tokens = setup.micro_batch * setup.seq_len / setup.parallel.context
    in_flight = min(setup.parallel.pipeline - here.stage, max(setup.micro_batches, 1))
    layer = layer_bytes(model, setup)
    share = _share_between(setup)
    layer_input = bytes_per_number(setup) * int(model.config.hidden_size) / share
    if setup.recompute == "layers":
        # Each layer's input; and all of the one layer that is computed again.
        return tokens * (in_flight * here.layers * layer_input + layer)
    ends = layer_input * (here.stage == 0) + (_FP32 + 2 * bytes_per_number(setup)) * int(
        model.config.hidden_size
    ) / share * (here.vocabulary > 0)
    return tokens * in_flight * (here.layers * layer + ends)


def logit_bytes(model: Model, setup: Setup, here: Held) -> float:
    """The height of the loss over the vocabulary, on the last stage; every token is taken to have a label.

    megatron-core has all of a micro-batch once, in what matrices multiply in, and their gradient in the same place;
    beside them a piece in float32 or, later, the gradient of the output embedding before it is added up. The other
    engines have a piece at a time, and the whole gradient of the output embedding, with its next summand.
    """
    width, tokens = bytes_per_number(setup), setup.micro_batch * setup.seq_len / setup.parallel.context
    numbers, of_weight = here.vocabulary * tokens, here.vocabulary * int(model.config.hidden_size)
    if setup.engine == "megatron":
        piece = (_FP32 if width == _FP32 else _FP32 + width) * min(numbers, LOGITS_AT_ONCE)
        return width * numbers + max(piece, width * of_weight)
    if width == _FP32 and numbers <= LOGITS_AT_ONCE:
        return 3 * _FP32 * numbers
    return (_FP32 + width) * min(numbers, LOGITS_AT_ONCE) + 2 * _FP32 * of_weight
