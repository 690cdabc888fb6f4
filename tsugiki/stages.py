"""The stages of a run in their order: how each is planned and what does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.stage import corpus_plan
from pretrain.stage import export_plan, pack_plan, tokens_plan, train_plan
from tokenizer.stage import tokenizer_plan
from tsugiki.report.stage import report_plan


@dataclass(frozen=True)
class Stage:
    """A stage of the way from text to model."""

    plan: Callable[[Run], StagePlan]
    work: str
    """Function of the run that does it, as `module:function`; imported only when needed."""


STAGES = (
    Stage(corpus_plan, "corpus.build:build_corpus"),
    Stage(tokenizer_plan, "tokenizer.extend:extend_tokenizer"),
    Stage(tokens_plan, "pretrain.tokenise:tokenise"),
    Stage(pack_plan, "pretrain.pack:pack_tokens"),
    Stage(train_plan, "tsugiki.launch:train"),
    Stage(export_plan, "pretrain.export:export_model"),
    Stage(report_plan, "tsugiki.report.build:build_report"),
)
