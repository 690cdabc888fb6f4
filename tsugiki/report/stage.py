"""What the report is made from; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

from pathlib import Path

from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.stage import corpus_dir
from pretrain.stage import checkpoints_dir, model_dir, tokens_dir
from tokenizer.stage import tokenizer_dir

KIND, VERSION = "report", 1


def report_dir(run: Run) -> Path:
    """Where the run keeps its report."""
    return run.run.dir / "report"


def report_plan(run: Run) -> StagePlan:
    """Everything that was made, to one page."""
    upstream = {
        "corpus": corpus_dir(run),
        "tokenizer": tokenizer_dir(run),
        "tokens": tokens_dir(run),
        "checkpoints": checkpoints_dir(run),
        "model": model_dir(run),
    }
    return StagePlan("report", report_dir(run), KIND, VERSION, {"name": run.run.name}, upstream)
