"""What the corpus stage reads and by which config; light, so that `tsugiki plan` can ask."""

from __future__ import annotations

from pathlib import Path

from configs.hub import HubName, is_hub_name
from configs.raw_input import RawFile, find_files
from configs.schema.corpus import Source
from configs.schema.decontaminate import Decontaminate
from configs.schema.preset import load_preset
from configs.schema.run import Run
from configs.stage import StagePlan

KIND, VERSION = "corpus", 4


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
            named = hub_name(name, source)
            dataset = source.dataset if named is None else named.fixed(run.run.dir)
            found[name] = ":".join(filter(None, (dataset, source.dataset_config, source.split)))
    return found


def hub_name(name: str, source: Source) -> HubName | None:
    """A source's dataset on the hub; none if it is files, or a dataset in a folder here."""
    if source.dataset is None or not is_hub_name(source.dataset):
        return None
    return HubName(f"corpus.sources.{name}.dataset", "dataset", source.dataset, source.revision)


def corpus_plan(run: Run) -> StagePlan:
    """The stage as the run file describes it."""
    config = run.corpus.digested()
    config["preset"] = load_preset(run.corpus.preset, run.corpus.rules).digested()
    config["seed"] = run.run.seed
    if run.corpus.word_lists or run.corpus.host_lists:
        from corpus.lists import list_digests

        config["lists"] = list_digests(run.corpus)
    raw = {**source_files(run), **_dataset_files(run), **_existing_files(run)}
    raw |= evaluation_files(run.corpus.decontaminate)
    return StagePlan("corpus", corpus_dir(run), KIND, VERSION, config, raw=raw)


def _dataset_files(run: Run) -> dict[str, tuple[RawFile, ...]]:
    """Files of the datasets in folders here, which their words do not identify, by names that no source has."""
    sources = run.corpus.sources.items()
    keys = {f"corpus.sources.{name}.dataset": one.dataset for name, one in sources if hub_name(name, one) is None}
    return {key: find_files(path, what=key) for key, path in keys.items() if path is not None and Path(path).exists()}


def _existing_files(run: Run) -> dict[str, tuple[RawFile, ...]]:
    """Signatures of the existing corpora, by names that no source has."""
    what = "corpus.dedup.against"
    return {
        f"{what}: {directory}": find_files(str(Path(directory) / "signatures"), what=what)
        for directory in run.corpus.dedup.against
    }


def evaluation_files(settings: Decontaminate) -> dict[str, tuple[RawFile, ...]]:
    """Files of the evaluation sets, by their keys in the run file, which are names that no source has."""
    names = {key_of_set(name): one.path for name, one in settings.sets.items()}
    return {name: find_files(path, what=f"{name}.path") for name, path in names.items()}


def key_of_set(name: str) -> str:
    """Where the run file says what an evaluation set is."""
    return f"corpus.decontaminate.sets.{name}"
