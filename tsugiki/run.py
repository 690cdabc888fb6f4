"""All stages of a run, in order, on this machine."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from configs.load import read_placed, validate
from configs.lock import exclusive
from configs.resolved import write_resolved
from configs.schema.run import Run
from corpus.stage import hub_name
from pretrain.stage import train_plan
from tokenizer.base import Base
from tsugiki.stages import STAGES

_log = logging.getLogger(__name__)


def run_all(run_file: Path, overrides: Sequence[str]) -> Run:
    """Do every stage that is not complete; gives the run.

    Raises:
        UserError: whatever a stage raises; what is finished stays.
    """
    placed = read_placed(run_file, overrides)
    run = validate(placed, Run)
    with exclusive(run.run.dir):
        _pin(run)
        # A directory that another run file made is noticed before the first stage starts.
        for stage in STAGES:
            stage.plan(run).check()
        write_resolved(run, placed, run.run.dir)
        todo = [stage for stage in STAGES if stage.plan(run).state != "complete"]
        if not todo:
            _log.info("everything is complete")
        if any(stage.plan is train_plan for stage in todo):
            import_module("pretrain.fits").refuse_misfit(run)  # hours before training would
        for stage in todo:
            module, function = stage.work.split(":")
            getattr(import_module(module), function)(run)
    return run


def _pin(run: Run) -> None:
    """See that what the run names on the hub is in reach, and a base's weights readable, before any work is done."""
    Base.of_model(run).pin()
    Base.of_tokenizer(run).pin()
    if any(hub_name(name, source) is not None for name, source in run.corpus.sources.items()):
        import_module("corpus.hub_datasets").pin_datasets(run)
