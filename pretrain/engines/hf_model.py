"""The Hugging Face model as the plain-torch and the DeepSpeed engine train it.

Shapes: T positions of a micro-batch, H hidden, V vocabulary rows.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from configs.atomic_file import read_json
from configs.errors import UserError
from configs.schema.pretrain import AttentionKernel
from pretrain.attention.documents import Documents
from pretrain.attention.interface import register
from pretrain.attention.need import Need
from pretrain.checkpoint.boxes import Box
from pretrain.engines.base import EngineSpec, StateReader
from pretrain.engines.loss_head import Losses, LossHead
from pretrain.engines.next_tokens import Choice, NextTokenHead, NextTokens
from pretrain.micro_batch import NO_LABEL, MicroBatch
from pretrain.models import limits
from pretrain.models.family import SUPPORTED, family, supported

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
"""What a model computes in, by the run file's word for it."""
CPU = torch.device("cpu")


def read_config(
    hf_dir: Path, vocab_rows: int | None = None, *, rope_base: float | None = None, seq_len: int | None = None
) -> PretrainedConfig:
    """The architecture of an HF folder, with as many embedding rows as asked.

    Args:
        rope_base: base of the rotary embedding; none keeps the folder's.
        seq_len: longest sequence that it is to be trained on, where that is known.
    Raises:
        UserError: if the folder has no config, or it is of an architecture or has settings that are not supported;
            all of them are named.
    """
    path = hf_dir / "config.json"
    if not path.exists():
        raise UserError(f"{hf_dir}: has no config.json, so it is no Hugging Face model folder")
    try:
        found = read_json(path)
        model_type = found.get("model_type") if isinstance(found, dict) else None
        if model_type not in SUPPORTED:
            raise UserError(f"{hf_dir}: architecture {model_type!r} is not supported; supported: {supported()}")
        config: PretrainedConfig = AutoConfig.from_pretrained(hf_dir, trust_remote_code=False)
    except (ValueError, KeyError, StrictDataclassError) as error:
        raise UserError(f"{path}: transformers cannot read it: {error!r}") from error
    wrong = [*family(model_type).refusals(config), *limits.refusals(config, seq_len)]
    if wrong:
        raise UserError(f"{path}: not supported: {'; '.join(wrong)}")
    if vocab_rows is not None:
        config.vocab_size = vocab_rows
    if rope_base is not None:
        config.rope_parameters["rope_theta"] = float(rope_base)
    return config


def config_of(spec: EngineSpec) -> PretrainedConfig:
    """The architecture that an engine is to train.

    Raises:
        UserError: as `read_config`.
    """
    return read_config(spec.hf_dir, spec.vocab_rows, rope_base=spec.rope_base, seq_len=spec.seq_len)


def empty_model(
    config: PretrainedConfig,
    dtype: torch.dtype = torch.float32,
    *,
    kernel: AttentionKernel = "sdpa",
    device: torch.device = CPU,
) -> PreTrainedModel:
    """The model with packed attention and weights that are not yet anything.

    Args:
        dtype: of the parameters; buffers, as the rotary embedding's frequencies, are float32 in any case.
        kernel: of attention.
        device: that the model is going to run on.
    """
    from transformers.initialization import no_init_weights

    with no_init_weights():
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            copy.deepcopy(config),  # transformers writes the attention's name into it
            attn_implementation=register(kernel, Need.of(config, dtype, device)),
            dtype=dtype,
        )
    model.config.use_cache = False
    model.tie_weights()
    return model


def exact_rotation(model: PreTrainedModel) -> None:
    """Compute the rotary frequencies anew, in float32; ZeRO-3 makes every tensor of a new model bfloat16."""
    rotary = model.base_model.rotary_emb
    model.base_model.rotary_emb = type(rotary)(model.config)


def recompute_layers(model: PreTrainedModel) -> None:
    """Keep only the input of each layer in training, and compute the rest again in the backward pass."""
    # There is no dropout whose random numbers would have to be the same again.
    model.activation_checkpointing_enable({"use_reentrant": False, "preserve_rng_state": False})


class PackedLoss(nn.Module):
    """From a micro-batch to its losses, or to what comes next: what data-parallel wrappers wrap.

    Args:
        z_loss: see `LossHead`.
    """

    def __init__(self, model: PreTrainedModel, z_loss: float = 0.0) -> None:
        super().__init__()
        self.model = model
        self.head = LossHead(model.get_output_embeddings().weight, z_loss)
        self.next_tokens = NextTokenHead(model.get_output_embeddings().weight)

    def forward(
        self,
        tokens_T: torch.Tensor,
        positions_T: torch.Tensor,
        document_bounds: list[int],
        labelled_N: torch.Tensor,
        wanted: torch.Tensor | Choice,
    ) -> Losses | NextTokens:
        """Losses of the positions `labelled_N`, or what comes after them.

        Args:
            wanted: the labels of these positions, for losses; or the choice.
        Returns:
            Losses with `nll` of shape (T,), 0 where there is no label; or next tokens of shape (N, K).
        """
        hidden_TH = self.model.base_model(
            input_ids=tokens_T[None],
            position_ids=positions_T[None],
            use_cache=False,
            documents=Documents.of(document_bounds),
        ).last_hidden_state[0]
        # Padding and document ends predict nothing and need no logits.
        hidden_NH = hidden_TH.index_select(0, labelled_N)
        if isinstance(wanted, Choice):
            chosen: NextTokens = self.next_tokens(hidden_NH, wanted)
            return chosen
        objective, nll_N = self.head(hidden_NH, wanted)
        nll_T = torch.zeros(tokens_T.shape, dtype=torch.float32, device=nll_N.device)
        return Losses(objective, nll_T.index_copy(0, labelled_N, nll_N))


def losses(module: nn.Module, batch: MicroBatch, device: torch.device) -> Losses:
    """Run `module` (a PackedLoss, or a wrapper of one) on a micro-batch that is still on the host.

    What Python must know of the batch is read before it is on the device, so that nothing waits for a GPU.
    """
    labelled_N = (batch.labels_T != NO_LABEL).nonzero()[:, 0]
    out: Losses = _forward(module, batch, device, labelled_N, batch.labels_T[labelled_N].to(device, non_blocking=True))
    return out


def next_tokens(module: nn.Module, batch: MicroBatch, device: torch.device, choice: Choice) -> NextTokens:
    """The same for what comes after the labelled positions; without gradients, on the host."""
    labelled_N = (batch.labels_T != NO_LABEL).nonzero()[:, 0]
    with torch.no_grad():
        out: NextTokens = _forward(module, batch, device, labelled_N, choice)
    return NextTokens(out.ids_NK.cpu(), out.probabilities_NK.cpu())


def _forward(
    module: nn.Module,
    batch: MicroBatch,
    device: torch.device,
    labelled_N: torch.Tensor,
    wanted: torch.Tensor | Choice,
) -> Any:
    return module(
        batch.tokens_T.to(device, non_blocking=True),
        batch.positions_T.to(device, non_blocking=True),
        batch.cu_seqlens.tolist(),
        labelled_N.to(device, non_blocking=True),
        wanted,
    )


def by_source(nll_T: torch.Tensor, batch: MicroBatch, totals: dict[int, tuple[float, int]]) -> None:
    """Add a micro-batch's sums to `totals`, by source."""
    for source in batch.source_T.unique().tolist():
        here = (batch.source_T == source) & (batch.labels_T != NO_LABEL)
        nll, tokens = totals.get(source, (0.0, 0))
        totals[source] = (nll + float(nll_T[here].double().sum()), tokens + int(here.sum()))


def named_parameters(model: PreTrainedModel) -> dict[str, nn.Parameter]:
    """Trainable tensors by HF name; a tied output embedding is the input embedding and occurs once."""
    return dict(model.named_parameters(remove_duplicate=True))


def embedding_names(model: PreTrainedModel) -> frozenset[str]:
    """HF names of the input and output embedding."""
    ends = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    return frozenset(name for name, parameter in model.named_parameters() if id(parameter) in ends)


@torch.no_grad()
def fill(model: PreTrainedModel, reader: StateReader) -> None:
    """Give every parameter its weights."""
    for name, parameter in named_parameters(model).items():
        parameter.copy_(reader.read(name, Box.whole(parameter.shape), "master"))
