"""The export gate: a folder gets its name only if what transformers loads from it is what was trained.

Source of the tolerance: tsugiki's design; 1e-4 of the largest logit is what float32 sums of one model differ by when
they are added in another order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from configs.atomic_file import read_json
from pretrain.document_format import DocumentFormat
from pretrain.engines import hf_model
from pretrain.engines.base import StateReader

RELATIVE_TOLERANCE = 1e-4


@dataclass(frozen=True)
class GateResult:
    """What the gate found."""

    logits_max_abs_diff: float
    logits_max_abs: float
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the folder may have its name."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "logits_max_abs_diff": self.logits_max_abs_diff,
            "logits_max_abs": self.logits_max_abs,
            "tolerance": RELATIVE_TOLERANCE * max(1.0, self.logits_max_abs),
            "failures": list(self.failures),
        }


def check(
    folder: Path,
    base: Path,
    form: DocumentFormat,
    rounded: StateReader,
    vocab_rows: int,
    texts: Sequence[str],
    rope_base: float | None = None,
) -> GateResult:
    """Compare the folder, as transformers reloads it, with the weights it was made from.

    Args:
        rounded: the trained weights after rounding to the folder's number format.
        texts: what logits and tokenizer are compared on; together they should use every new token.
        rope_base: base of the rotary embedding when training ended; none if it is that of `base`.
    """
    failures: list[str] = []
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        trust_remote_code=False,
        output_loading_info=True,
        attn_implementation="eager",  # not the kernel that training used: two ways to the same numbers
    )
    reloaded, loading = loaded
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if loading[what]:
            failures.append(
                f"transformers reports {what.replace('_', ' ')}: {', '.join(sorted(map(str, loading[what]))[:3])}"
            )
    config = read_json(base / "config.json")
    config["rope_parameters"] = rope(config, rope_base)
    failures += _config_failures(config, read_json(folder / "config.json"), vocab_rows)
    failures += _tokenizer_failures(folder, form, texts)
    ours = _trained_model(base, rounded, vocab_rows, rope_base)
    difference, largest = _compare_logits(ours, reloaded.eval(), form.encode(texts))
    if not difference <= RELATIVE_TOLERANCE * max(1.0, largest):
        failures.append(f"logits differ by {difference:.2e}, the largest is {largest:.1f}")
    return GateResult(difference, largest, tuple(failures))


def _trained_model(base: Path, rounded: StateReader, vocab_rows: int, rope_base: float | None) -> PreTrainedModel:
    """The trained weights in the model as the engine runs it, with packed attention."""
    model = hf_model.empty_model(hf_model.read_config(base, vocab_rows, rope_base=rope_base))
    hf_model.fill(model, rounded)
    model.eval()
    return model


def _compare_logits(
    ours: PreTrainedModel, reloaded: PreTrainedModel, documents: Sequence[Sequence[int]]
) -> tuple[float, float]:
    """Largest difference of two models' logits on all documents, and the largest logit."""
    difference, largest = 0.0, 0.0
    with torch.no_grad():
        for ids in documents:
            tokens = torch.tensor([ids])
            expected = ours(input_ids=tokens, use_cache=False, document_bounds=[0, len(ids)]).logits
            found = reloaded(input_ids=tokens, use_cache=False).logits
            difference = max(difference, float((expected - found).abs().max()))
            largest = max(largest, float(expected.abs().max()))
    return difference, largest


_SAME = (
    "model_type",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "rms_norm_eps",
    "tie_word_embeddings",
    "max_position_embeddings",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)


def _config_failures(base: Mapping[str, Any], exported: Mapping[str, Any], vocab_rows: int) -> list[str]:
    failures = [
        f"config {key}: {base[key]!r} became {exported.get(key)!r}"
        for key in _SAME
        if key in base and exported.get(key) != base[key]
    ]
    if exported.get("vocab_size") != vocab_rows:
        failures.append(f"config vocab_size: {exported.get('vocab_size')}, the embeddings have {vocab_rows} rows")
    if rope(base) != rope(exported):
        failures.append(f"rope: {rope(base)} became {rope(exported)}")
    return failures


def rope(config: Mapping[str, Any], rope_base: float | None = None) -> dict[str, Any]:
    """RoPE base and scaling, from the names of transformers 4 and 5.

    Args:
        rope_base: replaces the base.
    """
    parameters = dict(config.get("rope_parameters") or config.get("rope_scaling") or {})
    parameters.setdefault("rope_theta", config.get("rope_theta", 10_000.0))
    parameters.setdefault("rope_type", parameters.pop("type", "default"))
    if rope_base is not None:
        parameters["rope_theta"] = rope_base
    return parameters


def _tokenizer_failures(folder: Path, form: DocumentFormat, texts: Sequence[str]) -> list[str]:
    reloaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    failures = []
    if len(reloaded) != form.tokenizer.size:
        failures.append(f"tokenizer: {len(reloaded)} tokens after reload, {form.tokenizer.size} were written")
    for number, text in enumerate(texts):
        ids = reloaded.encode(text, add_special_tokens=False)
        if ids != form.tokenizer.encode(text):
            failures.append(f"tokenizer: text {number} has other ids after reload")
            break
        if reloaded.decode(ids) != form.tokenizer.backend.decode(ids):
            failures.append(f"tokenizer: text {number} decodes to another text after reload")
            break
    return failures
