"""The model card, in English and Japanese, written from the manifests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from configs.hub import is_hub_name
from configs.schema.run import Run
from configs.schema.schedule import Schedule, StageRate
from pretrain.card_personal import personal_data
from pretrain.export_gate.result import GateResult

_TEMPLATE = Path(__file__).with_name("card.md.j2")
_TRAINED_JA = {"all": "すべての重み", "embeddings": "埋め込み", "new_rows": "新しい行"}


@dataclass(frozen=True)
class _StageRow:
    """A stage as the card shows it."""

    name: str
    tokens: int
    train: str
    seq_len: int
    own: StageRate | None
    """Its own schedule; none if it is on the run's."""


def card(run: Run, checkpoints: Mapping[str, Any], tokenizer: Mapping[str, Any], gate: GateResult) -> str:
    """README.md of the exported folder.

    Args:
        checkpoints: manifest of the checkpoints.
        tokenizer: manifest of the tokenizer.
    """
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # Markdown
    environment.filters["grouped"] = lambda number: f"{number:,}"
    told, base = run.export.card, run.pretrain.base
    base_name = told.base_model or (base if is_hub_name(base) else None)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    counts = checkpoints["counts"]
    sources = {name: source for name, source in run.corpus.sources.items() if name in counts["epochs"]}
    return template.render(
        run=run,
        export=run.export,
        told=told,
        base_name=base_name,
        base=base_name or Path(base).name,  # not the path, which is of this machine
        optim=run.pretrain.optim,
        counts=counts,
        gate=gate,
        sources=sources,
        licenses={name: sources[name].license if name in sources else None for name in counts["epochs"]},
        languages=sorted({source.language for source in sources.values()}),
        datasets=sorted({one.dataset for one in sources.values() if one.dataset and is_hub_name(one.dataset)}),
        stages=_stages(run),
        shared=any(stage.rate is None for stage in run.pretrain.stages.values()),
        last=_last,
        new_tokens=tokenizer["counts"]["new_tokens"],
        order=_order(counts["order"]),
        personal=personal_data(run.corpus.mask),
        trained_ja=_TRAINED_JA,
        commit=_commit(checkpoints["inputs"]["base"]),
    )


def _stages(run: Run) -> list[_StageRow]:
    settings = run.pretrain
    return [
        _StageRow(name, stage.tokens, stage.train, stage.seq_len or settings.seq_len, stage.rate)
        for name, stage in settings.stages.items()
    ]


def _last(schedule: Schedule) -> float:
    """Last learning rate as a share of the peak."""
    return 1.0 if schedule.schedule == "constant" else schedule.min_lr


def _order(digests: list[str]) -> str:
    """One digest over those of all thousands of samples."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _commit(base: Mapping[str, str]) -> str | None:
    """The commit of a base on the hub, from what the manifest says of it; none for a folder."""
    return base["fixed"].rpartition("@")[2] if "fixed" in base else None
