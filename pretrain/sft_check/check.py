"""Whether a model folder is ready for supervised fine-tuning: everything a team does next, done for a few steps."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from configs.errors import UserError
from configs.progress import Progress
from pretrain.sft_check import conversations

_log = logging.getLogger(__name__)

# Enough to see a loss fall; more of a user's file says no more.
_CONVERSATIONS, _MAX_LENGTH = 8, 1024


@dataclass(frozen=True)
class Finding:
    """What one part of the check found."""

    name: str
    passed: bool
    told: str

    def to_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


def sft_check(folder: Path, data: Path | None, steps: int, *, lora_only: bool) -> list[Finding]:
    """Load, generate, and train a few steps each way.

    Args:
        data: JSON lines of conversations; none takes ours.
        lora_only: leave out what trains all weights, which needs 16 bytes of memory per weight.
    Raises:
        UserError: if the folder, the data or a library is missing.
    """
    missing = [name for name in ("trl", "peft", "accelerate") if find_spec(name) is None]
    if missing:
        raise UserError(f"sft-check needs {', '.join(missing)}: pip install 'tsugiki[sft]'")
    if not (folder / "config.json").exists():
        raise UserError(f"{folder}: has no config.json; expected is a Hugging Face folder, e.g. model/hf of a run")
    chosen = conversations.read(data or conversations.OURS)[:_CONVERSATIONS]
    from pretrain.quiet import quiet_transformers
    from pretrain.sft_check import chat
    from pretrain.sft_check.model import Subject

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pretrain.sft_check import training

    quiet_transformers()
    subject = Subject(folder, chosen, steps, _MAX_LENGTH)
    findings = [_tried("chat template", partial(chat.answer, subject))]
    trainings = {"Trainer": training.with_trainer, "SFTTrainer": training.with_trl, "LoRA": training.with_lora}
    if lora_only:
        trainings = {"LoRA": training.with_lora}
    with Progress("sft check", len(trainings) * steps, "steps") as progress:
        for name, train in trainings.items():
            on_step = partial(progress.advance, 1, name)
            findings.append(_tried(name, partial(train, subject, on_step)))
    return findings


def _tried(name: str, part: Callable[[], str]) -> Finding:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the libraries say of each other's names
            return Finding(name, True, part())
    except UserError as error:
        return Finding(name, False, str(error))
    except Exception as error:
        # Whatever a library cannot do with the folder is what the check is there to find.
        _log.debug("%s", name, exc_info=True)
        return Finding(name, False, f"{type(error).__name__}: {error}")
