"""Greedy continuations of a few prompts by the base and the exported model, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def continuations(base: Path, exported: Path, prompts: Sequence[str], new_tokens: int) -> list[dict[str, str]]:
    """What each model, loaded by transformers as a user would, writes after each prompt.

    Args:
        new_tokens: tokens of the base; the exported model writes about as many characters with fewer.
    Returns:
        For each prompt: `prompt`, `before`, `after`.
    """
    if not prompts:
        return []
    before, after = (_continue(folder, prompts, new_tokens) for folder in (base, exported))
    return [
        {"prompt": prompt, "before": old, "after": new} for prompt, old, new in zip(prompts, before, after, strict=True)
    ]


def _continue(folder: Path, prompts: Sequence[str], new_tokens: int) -> list[str]:
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False).eval()
    texts = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids
        with torch.no_grad():
            out = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=new_tokens,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id or 0,
            )
        texts.append(str(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True)))
    return texts
