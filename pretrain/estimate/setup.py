"""What decides how much memory and time training takes: the layout, apart from the rest of the run file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from transformers import PretrainedConfig

from configs.atomic_file import read_json
from configs.errors import UserError
from configs.schema.pretrain import EngineName, Parallel
from configs.schema.run import Run
from pretrain.engines import hf_model
from pretrain.engines.megatron import layout
from pretrain.parameters import Parameters
from tokenizer.base import Base
from tokenizer.embed import padded_rows
from tokenizer.stage import tokenizer_dir


@dataclass(frozen=True)
class Model:
    """What is trained."""

    config: PretrainedConfig
    """With as many embedding rows as training has."""
    parameters: Parameters
    base_rows: int
    """Embedding rows of the base."""

    @classmethod
    def of(cls, run: Run) -> Model:
        """From the base's config.json alone.

        Raises:
            UserError: if there is none in reach, or its architecture is not supported.
        """
        config = hf_model.read_config(Base.of_model(run).config_folder())
        base_rows = int(config.vocab_size)
        config.vocab_size = _rows(run, base_rows)
        return cls(config, Parameters.of(config), base_rows)


def _rows(run: Run, base_rows: int) -> int:
    """Rows after extension: exactly, once the tokenizer stage has run; until then with every row a token."""
    recipe = tokenizer_dir(run) / "new_rows.json"
    if recipe.exists():
        made = read_json(recipe)
        tokens = int(made["first_new_row"]) + len(made["spellings"])
        return padded_rows(base_rows, tokens, int(made["pad_to_multiple"]))
    return padded_rows(base_rows, base_rows + run.tokenizer.most_new_tokens, run.tokenizer.init.pad_to_multiple)


@dataclass(frozen=True)
class Setup:
    """Engine, layout and sizes of a step."""

    engine: EngineName
    nodes: int
    parallel: Parallel
    """Its processes have one GPU each."""
    precision: Literal["bf16", "fp32"]
    micro_batch: int
    """Sequences of a forward pass."""
    seq_len: int
    """Of the stage whose forward passes are longest."""
    batch_tokens: int
    """Per optimizer step."""
    recompute: Literal["none", "layers"] = "none"
    copies_state: bool = True
    """Whether a checkpoint is written from a copy in the node's memory, while training goes on."""
    node_bytes: int | None = None
    """Memory of a node that a job may use; none if the run file does not say."""

    @classmethod
    def of(cls, run: Run) -> Setup:
        """The setup that a run file asks for."""
        settings = run.pretrain
        # The stage whose forward pass takes most tokens needs most memory.
        longest = max(
            settings.stages.values(), key=lambda stage: settings.micro_batch_in(stage) * settings.seq_len_in(stage)
        )
        return cls(
            engine=settings.engine,
            nodes=run.slurm.nodes,
            parallel=settings.parallel,
            precision=settings.precision,
            micro_batch=settings.micro_batch_in(longest),
            seq_len=settings.seq_len_in(longest),
            batch_tokens=settings.batch_tokens,
            recompute=settings.recompute,
            copies_state=settings.checkpoint.asynchronous,
            node_bytes=None if run.slurm.memory_gib is None else run.slurm.memory_gib << 30,
        )

    def laid_out(self, **changes: Any) -> Setup:
        """With some keys of the layout changed."""
        return replace(self, parallel=self.parallel.model_copy(update=changes))

    @property
    def world_size(self) -> int:
        """Processes on all nodes."""
        return self.nodes * self.parallel.processes

    @property
    def data(self) -> int:
        """Ranks that get different data."""
        return self.world_size // (self.parallel.tensor * self.parallel.pipeline * self.parallel.context)

    @property
    def micro_batches(self) -> int:
        """Forward passes of each data rank in a step."""
        return self.batch_tokens // (self.seq_len * self.micro_batch * self.data)

    def problems(self, config: PretrainedConfig) -> list[str]:
        """Why this cannot be, in words; nothing if it can."""
        wrong = []
        if self.engine == "megatron":
            try:
                layout.plan(config, self.parallel, self.world_size)
            except UserError as error:
                wrong.append(str(error))
        if self.engine == "single" and self.world_size > 1:
            wrong.append(f"the engine 'single' is one process, not {self.world_size}; choose deepspeed or megatron")
        share = self.parallel.tensor * self.parallel.pipeline * self.parallel.context
        if self.world_size % share == 0 and self.batch_tokens % (self.seq_len * self.micro_batch * self.data):
            wrong.append(
                f"the {self.batch_tokens // self.seq_len} sequences of a batch are not divisible by "
                f"micro_batch x data ranks ({self.micro_batch} x {self.data})"
            )
        return wrong

    def shown(self) -> str:
        """In the words of the run file.

        >>> Setup("deepspeed", 1, Parallel(processes=8, zero="2"), "bf16", 1, 4096, 4_194_304).shown()
        'engine deepspeed, zero 2'
        """
        words = [f"engine {self.engine}"]
        if self.engine == "deepspeed":
            words.append(f"zero {self.parallel.zero}")
        if self.parallel.offload != "none":
            words.append(f"offload {self.parallel.offload}")
        sizes = {"tensor": self.parallel.tensor, "pipeline": self.parallel.pipeline, "context": self.parallel.context}
        words += [f"{name} {size}" for name, size in sizes.items() if size > 1]
        words += ["sequence true"] * self.parallel.sequence
        words += ["overlap true"] * self.parallel.overlap
        words += [f"recompute {self.recompute}"] * (self.recompute != "none")
        return ", ".join(words)
