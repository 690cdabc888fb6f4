"""Whether the folder answers in its chat template, and its special tokens are what fine-tuning counts on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from configs.errors import UserError
from pretrain.sft_check.model import Subject

_ANSWER_TOKENS = 16


def answer(subject: Subject) -> str:
    """Generate an answer to the first conversation's questions; gives what is told of it.

    Raises:
        UserError: if the template does not end in a prompt, or a token is outside the embeddings.
    """
    tokenizer, model = subject.tokenizer(), subject.model().eval()
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise UserError(f"the tokenizer has {len(tokenizer)} tokens, the embeddings have {rows} rows")
    asked = subject.conversations[0][:-1]
    prompt, whole = (
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=ask)
        for messages, ask in ((asked, True), (subject.conversations[0], False))
    )
    if not whole.startswith(prompt):
        raise UserError("the chat template writes another beginning when it asks than when the answer is there")
    encoded = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).to(model.device)
    with torch.no_grad():
        ids = model.generate(
            **encoded, max_new_tokens=_ANSWER_TOKENS, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )
    new = ids[0, encoded["input_ids"].shape[1] :]
    if not len(new):
        raise UserError("nothing was generated")
    tokenizer.decode(new)
    return "; ".join([f"{len(new)} tokens generated", *_notes(subject.folder, model)])


def _notes(folder: Path, model: Any) -> list[str]:
    """What is no failure, and good to know before fine-tuning."""
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    notes = []
    if tokenizer.chat_template is None:
        notes.append("the folder has no chat template, a plain one was used: give yours to the trainer")
    if tokenizer.pad_token is None:
        notes.append("no padding token: set one that is not the end of text")
    elif tokenizer.pad_token_id == tokenizer.eos_token_id:
        notes.append("padding is the end of text: a collator that masks padding by id masks the end of answers too")
    ends = model.generation_config.eos_token_id
    if tokenizer.eos_token_id not in (ends if isinstance(ends, list) else [ends]):
        notes.append(f"generation ends with {ends}, the tokenizer's end is {tokenizer.eos_token_id}")
    return notes
