"""Ten steps of fine-tuning each way that teams do it: transformers' Trainer, TRL's SFTTrainer, and LoRA by PEFT.

Every step sees the same conversations, so the loss must fall.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from transformers import DataCollatorForLanguageModeling, PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from configs.errors import UserError
from pretrain.sft_check.model import Subject

_LR, _LORA_LR, _LORA_RANK = 5e-5, 1e-3, 8
# Merged weights are the sum of two products in another order; source of the tolerance: the export gate's.
_RELATIVE_TOLERANCE = 1e-4

OnStep = Callable[[], None]


def with_trainer(subject: Subject, on_step: OnStep) -> str:
    """All weights, plain text; gives what is told of it.

    Raises:
        UserError: if the loss does not fall.
    """
    tokenizer = subject.tokenizer()
    texts = [tokenizer.apply_chat_template(one, tokenize=False) for one in subject.conversations]
    ids = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=subject.max_length)["input_ids"]
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            subject.model(),
            TrainingArguments(output_dir=folder, learning_rate=_LR, **_settings(subject)),
            data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
            train_dataset=Dataset.from_dict({"input_ids": ids}),
            callbacks=[_Steps(on_step)],
        )
        _train(trainer)
    return _fall(trainer)


def with_trl(subject: Subject, on_step: OnStep) -> str:
    """All weights, conversations; gives what is told of it.

    Raises:
        UserError: if the loss does not fall.
    """
    with tempfile.TemporaryDirectory() as folder:
        trainer = _sft_trainer(subject, on_step, folder, _LR)
        _train(trainer)
    return _fall(trainer)


def with_lora(subject: Subject, on_step: OnStep) -> str:
    """Adapters on every linear layer, conversations; then they are merged. Gives what is told of it.

    Raises:
        UserError: if the loss does not fall, a weight outside the adapters changes, or merging changes the logits.
    """
    with tempfile.TemporaryDirectory() as folder:
        adapters = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=_LORA_RANK, lora_alpha=_LORA_RANK)
        trainer = _sft_trainer(subject, on_step, folder, _LORA_LR, adapters)
        model: Any = trainer.model
        frozen = {name: one for name, one in model.named_parameters() if not one.requires_grad}
        before = {name: one.detach().clone() for name, one in frozen.items()}
        _train(trainer)
    changed = [name for name, one in frozen.items() if not torch.equal(one, before[name])]
    if changed:
        raise UserError(f"{len(changed)} weights outside the adapters changed, the first is {changed[0]}")
    model.eval()
    ids = subject.tokenizer().apply_chat_template(subject.conversations[0], return_tensors="pt", return_dict=True)
    ids = ids["input_ids"].to(model.device)
    with torch.no_grad():
        adapted = model(input_ids=ids).logits
        merged = model.merge_and_unload()(input_ids=ids).logits
    difference, largest = float((adapted - merged).abs().max()), float(adapted.abs().max())
    if not difference <= _RELATIVE_TOLERANCE * max(1.0, largest):
        raise UserError(f"merging the adapters changes the logits by {difference:.2e}, the largest is {largest:.1f}")
    return f"{_fall(trainer)}; merged logits differ by {difference:.1e}"


def _sft_trainer(
    subject: Subject, on_step: OnStep, folder: str, lr: float, adapters: LoraConfig | None = None
) -> SFTTrainer:
    disable_progress_bars()
    return SFTTrainer(
        subject.model(),
        SFTConfig(
            output_dir=folder,
            learning_rate=lr,
            max_length=subject.max_length,
            **_settings(subject),
        ),
        train_dataset=Dataset.from_list([{"messages": one} for one in subject.conversations]),
        processing_class=subject.tokenizer(),
        peft_config=adapters,
        callbacks=[_Steps(on_step)],
    )


def _settings(subject: Subject) -> dict[str, Any]:
    return {
        "max_steps": subject.steps,
        "per_device_train_batch_size": len(subject.conversations),
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": not torch.cuda.is_available(),
        "bf16": False,
        "seed": 0,
    }


def _train(trainer: Trainer) -> None:
    trainer.remove_callback(PrinterCallback)  # progress is ours
    trainer.train()


def _fall(trainer: Trainer) -> str:
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    if not all(math.isfinite(loss) for loss in losses) or losses[-1] >= losses[0]:
        raise UserError(f"the loss went from {losses[0]:.3f} to {losses[-1]:.3f} nats in {len(losses)} steps")
    return f"loss {losses[0]:.3f} to {losses[-1]:.3f} nats in {len(losses)} steps"


class _Steps(TrainerCallback):
    """Tells of every step."""

    def __init__(self, on_step: OnStep) -> None:
        self._on_step = on_step

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Called by the trainer."""
        self._on_step()
