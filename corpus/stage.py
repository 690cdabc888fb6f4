"""What the corpus stage reads and by which config; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

from pathlib import Path

from configs.raw_input import RawFile, find_files
from configs.schema.preset import load_preset
from configs.schema.run import Run
from configs.stage import StagePlan

KIND, VERSION = "corpus", 1


def corpus_dir(run: Run) -> Path:
    """Where the run keeps its corpus."""
    return run.run.dir / "corpus"


def source_files(run: Run) -> dict[str, tuple[RawFile, ...] | str]:
    """Files of every source; for a dataset the words that identify it.

    Raises:
        UserError: if a path does not exist.
    """
    found: dict[str, tuple[RawFile, ...] | str] = {}
    for name, source in run.corpus.sources.items():
        if source.path is not None:
            found[name] = find_files(source.path, what=f"corpus.sources.{name}.path")
        else:
            found[name] = ":".join(filter(None, (source.dataset, source.dataset_config, source.split)))
    return found


def corpus_plan(run: Run) -> StagePlan:
    """The stage as the run file describes it."""
    config = run.corpus.digested()
    config["preset"] = load_preset(run.corpus.preset).digested()
    config["seed"] = run.run.seed
    return StagePlan("corpus", corpus_dir(run), KIND, VERSION, config, raw=source_files(run))
