"""The folder as a fine-tuning script loads it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from configs.errors import UserError
from pretrain.sft_check.conversations import Message

# What is trained on where the folder has no template, as most bases have none: one line a message.
_PLAIN = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + eos_token + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)


@dataclass(frozen=True)
class Subject:
    """A model folder under test."""

    folder: Path
    conversations: list[list[Message]]
    steps: int
    max_length: int
    """Tokens of a conversation; what is longer is cut."""

    def tokenizer(self) -> Any:
        """A new tokenizer, with a template and a padding token where the folder has none."""
        tokenizer = AutoTokenizer.from_pretrained(self.folder, trust_remote_code=False)
        if tokenizer.eos_token is None:
            raise UserError(f"{self.folder}: its tokenizer names no eos_token, so no answer could end")
        if tokenizer.chat_template is None:
            tokenizer.chat_template = _PLAIN
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        return tokenizer

    def model(self) -> Any:
        """A new model in float32, on the GPU if there is one."""
        model: Any = AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32, trust_remote_code=False)
        return model.to("cuda" if torch.cuda.is_available() else "cpu")
