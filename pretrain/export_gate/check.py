"""The export gate: a folder gets its name only if what transformers loads from it is what was trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GenerationConfig, PreTrainedModel

from configs.atomic_file import read_json
from configs.schema.export import Gate
from pretrain.document_format import DocumentFormat
from pretrain.engines import hf_model
from pretrain.engines.base import StateReader
from pretrain.export_gate import comparison
from pretrain.export_gate.comparison import Comparison, Document
from pretrain.export_gate.folder import config_failures, tokenizer_failures, weight_failures
from pretrain.export_gate.result import GateResult, Greedy
from pretrain.export_gate.texts import GateTexts
from pretrain.models.rope import positions, rope

# The first six are continued: the run file's own texts come first.
_PROMPTS, _PROMPT_TOKENS = 6, 8
_FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Trained:
    """What the folder was made from."""

    base: Path
    """Folder whose config the folder's must agree with."""
    rounded: StateReader
    """The trained weights after rounding to the folder's number format."""
    unrounded: StateReader | None
    """The same before; none if that is no difference."""
    shapes: Mapping[str, tuple[int, ...]]
    rope_base: float | None = None
    """Base of the rotary embedding when training ended; none if it is that of `base`."""
    seq_len: int = 0
    """Tokens of a sequence when training ended; the folder must say so if `base` is made for fewer."""

    @property
    def vocab_rows(self) -> int:
        """Rows of the embeddings."""
        return self.shapes["model.embed_tokens.weight"][0]


def check(folder: Path, trained: Trained, form: DocumentFormat | None, texts: GateTexts, settings: Gate) -> GateResult:
    """Compare a folder with what it was made from.

    Args:
        form: how training read texts; none where somebody else compares the tokenizer.
    """
    config = read_json(trained.base / "config.json")
    config["rope_parameters"] = rope(config, trained.rope_base)
    config |= positions(config, trained.seq_len)
    failures = [
        *config_failures(config, read_json(folder / "config.json"), trained.vocab_rows),
        *(tokenizer_failures(folder, form, texts.texts) if form is not None else ()),
        *weight_failures(folder, trained.rounded, trained.shapes),
    ]
    whole = _FLOAT32_BYTES * sum(prod(shape) for shape in trained.shapes.values()) <= settings.whole_up_to_gb * 1e9
    documents = list(texts.documents)
    if whole:
        reloaded, told = _reload(folder)
        failures += told
        documents += _continued(reloaded, documents, settings.greedy_tokens)
        theirs = comparison.of_reloaded(reloaded, documents)
    elif any(one.startswith("weights: ") for one in failures):
        documents, theirs = [], iter(())  # a model without some of its weights cannot be run
    else:
        theirs = comparison.of_folder(hf_model.read_config(folder), folder, documents)
    ours_config = hf_model.read_config(trained.base, trained.vocab_rows, rope_base=trained.rope_base)
    ours, exact = (
        None if reader is None else comparison.of_trained(ours_config, reader, dict(trained.shapes), documents)
        for reader in (trained.rounded, trained.unrounded)
    )
    assert ours is not None
    found = Comparison.over(documents, ours, theirs, exact)
    tolerance = found.logits.tolerance
    if not found.logits.max_abs_diff <= tolerance:
        failures.append(f"logits differ by {found.logits.max_abs_diff:.2e}, the largest is {found.logits.max_abs:.1f}")
    others = [gap for gap in found.gaps if not gap <= tolerance]
    if others:
        failures.append(f"{len(others)} of {found.generated} greedy tokens are others than the trained weights give")
    prompts = sum(document.prompt is not None for document in documents)
    greedy = Greedy(prompts, found.generated, len(found.gaps) - len(others)) if whole else None
    return GateResult(sum(len(one.ids) for one in documents), found.logits, greedy, tuple(failures))


def _reload(folder: Path) -> tuple[PreTrainedModel, list[str]]:
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.float32,
        trust_remote_code=False,
        output_loading_info=True,
        attn_implementation="eager",  # not the kernel that training used: two ways to the same numbers
    )
    model, loading = loaded
    failures = [
        f"transformers reports {what.replace('_', ' ')}: {', '.join(sorted(map(str, loading[what]))[:3])}"
        for what in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if loading[what]
    ]
    return model.eval(), failures


def _continued(model: Any, documents: Sequence[Document], tokens: int) -> list[Document]:
    """Beginnings of the documents, continued by the reloaded model as a user would, with its cache."""
    if not tokens:
        return []
    # The folder's own settings may punish repetition, which is no longer greedy.
    end = model.generation_config.eos_token_id
    model.generation_config = GenerationConfig(max_new_tokens=tokens, do_sample=False, eos_token_id=end, pad_token_id=0)
    continued = []
    for document in documents[:_PROMPTS]:
        prompt = document.ids[:_PROMPT_TOKENS]
        ids = torch.tensor([prompt])
        with torch.no_grad():
            out = model.generate(ids, attention_mask=torch.ones_like(ids))
        continued.append(Document(out[0].tolist(), len(prompt)))
    return continued
