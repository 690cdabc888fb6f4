"""The whole run file."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from configs.schema.corpus import Corpus
from configs.schema.export import Export
from configs.schema.pretrain import Pretrain
from configs.schema.section import Section, rule
from configs.schema.slurm import Slurm
from configs.schema.tokenizer import Tokenizer


class RunSection(Section):
    """Name, place and seed of a run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    """Short name; becomes part of job names and of the model card."""
    dir: Path
    """Directory that holds everything the run writes."""
    seed: int = Field(ge=0, lt=2**63)
    """Everything random derives from this number."""


class Run(Section):
    """One run: from raw text and a base model to a checked Hugging Face folder."""

    run: RunSection
    corpus: Corpus
    tokenizer: Tokenizer = Tokenizer()
    pretrain: Pretrain
    export: Export = Export()
    slurm: Slurm = Slurm()

    @property
    def tokenizer_base(self) -> str:
        """Folder or hub name of the tokenizer that is extended."""
        return self.tokenizer.base or self.pretrain.base

    @rule("pretrain.stages")
    def mixtures_name_sources(self) -> str | None:
        known = {*self.corpus.sources, *self.pretrain.token_sources}
        for name, stage in self.pretrain.stages.items():
            strangers = sorted(set(stage.mixture) - known)
            if strangers:
                return f"stage {name!r} mixes {', '.join(strangers)}, which corpus.sources and token_sources lack"
        return None

    @rule("tokenizer.found_words")
    def words_are_found_in_house(self) -> str | None:
        learned = [one for one in self.corpus.sources.values() if one.language in self.tokenizer.languages]
        if self.tokenizer.found_words.most and not any(one.access for one in learned):
            return "are looked for in sources with access, and no source of tokenizer.languages has that key"
        return None

    @rule("pretrain.token_sources")
    def names_are_unique(self) -> str | None:
        twice = sorted(set(self.corpus.sources) & set(self.pretrain.token_sources))
        return f"{', '.join(twice)} is a name in corpus.sources already; take another" if twice else None

    @rule("pretrain.checkpoint.keep_best_by")
    def best_is_measured(self) -> str | None:
        sources = self.corpus.sources
        known = {"mean", *sources, *(source.language for source in sources.values())}
        if self.pretrain.checkpoint.keep_best_by in known:
            return None
        return f"expected one of {', '.join(sorted(known))}, got {self.pretrain.checkpoint.keep_best_by!r}"

    @rule("pretrain.forgetting.budgets")
    def budgets_are_measured(self) -> str | None:
        sources = self.corpus.sources
        known = {*sources, *(source.language for source in sources.values())}
        strangers = sorted(set(self.pretrain.forgetting.budgets) - known)
        return (
            f"names {', '.join(strangers)}; sources and languages are {', '.join(sorted(known))}" if strangers else None
        )

    @rule("pretrain.parallel")
    def processes_fit_layout(self) -> str | None:
        parallel, processes = self.pretrain.parallel, self.slurm.nodes * self.pretrain.parallel.processes
        sharded = parallel.tensor * parallel.pipeline * parallel.context
        if self.pretrain.engine == "megatron" and processes % sharded:
            return f"nodes x processes ({processes}) must be a multiple of tensor x pipeline x context ({sharded})"
        return None

    @rule("pretrain.batch_tokens")
    def batch_fits_processes(self) -> str | None:
        settings, parallel = self.pretrain, self.pretrain.parallel
        processes = self.slurm.nodes * parallel.processes
        ranks = processes // (parallel.tensor * parallel.pipeline * parallel.context)
        for name, stage in settings.stages.items():
            sequences, micro_batch = settings.sequences_in(stage), settings.micro_batch_in(stage)
            if ranks > 1 and sequences % (ranks * micro_batch):
                return (
                    f"stage {name!r} has {sequences} sequences in a step, which {ranks} data ranks (nodes x processes "
                    f"/ tensor / pipeline / context) with micro_batch {micro_batch} cannot share evenly"
                )
        return None
