"""What the batch scripts of a run need to know of its stages."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from configs.lock import exclusive
from configs.schema.run import Run
from configs.stage import StagePlan
from corpus.stage import corpus_dir, hub_name
from pretrain.stage import checkpoints_dir, model_dir, pack_plan, train_plan
from tokenizer.base import Base
from tokenizer.stage import tokenizer_dir
from tsugiki.stages import STAGES


def directories(run: Run) -> dict[str, Path]:
    """Where each job of the chain leaves its work."""
    return {
        "corpus": corpus_dir(run),
        "tokenizer": tokenizer_dir(run),
        "pack": pack_plan(run).dir,
        "train": checkpoints_dir(run),
        "export": model_dir(run),
    }


def prepare(run: Run) -> None:
    """See that the stages can be done, and fetch what they need of the hub, for nodes that compute may not reach it.

    Raises:
        UserError: if a stage's directory is another run file's work, a base or dataset is not in reach, or the layout
            is impossible.
    """
    with exclusive(run.run.dir):
        model, tokenizer = Base.of_model(run), Base.of_tokenizer(run)
        model.pin()
        tokenizer.pin()
        if any(hub_name(name, source) is not None for name, source in run.corpus.sources.items()):
            import_module("corpus.hub_datasets").pin_datasets(run)
        plans: list[StagePlan] = [stage.plan(run) for stage in STAGES]
        for plan in plans:
            plan.check()
        if train_plan(run).state != "complete":
            import_module("pretrain.fits").refuse_misfit(run)
        model.folder()
        tokenizer.folder_without_weights()
