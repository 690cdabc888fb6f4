"""The `pretrain` section: the base model, the mixture, the optimizer, the engine."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from configs.schema.guards import Forgetting, Guards, Stop
from configs.schema.names import SourceName
from configs.schema.schedule import Schedule, StageRate
from configs.schema.section import Section, operational, rule

EngineName = Literal["single", "deepspeed", "megatron"]
Trained = Literal["all", "embeddings", "new_rows"]
AttentionKernel = Literal["sdpa", "varlen", "flex", "flash_attn", "transformer_engine"]


class Stage(Section):
    """A stretch of training with its own mixture."""

    tokens: int = Field(ge=1)
    """Tokens of the stage; rounded up to whole optimizer steps."""
    mixture: dict[str, float] = Field(min_length=1)
    """Weight of each source, by tokens; weights need not add up to 1."""
    train: Trained = "all"
    """What changes: every weight, only the input and output embedding, or only their rows of new tokens."""
    seq_len: int | None = Field(default=None, ge=8)
    """Tokens of a packed sequence in this stage; none takes pretrain.seq_len."""
    rope_base: float | None = Field(default=None, gt=1)
    """Base of the rotary embedding from this stage on; none keeps what it was."""
    rewarm_tokens: int = Field(default=0, ge=0)
    """Tokens at the beginning of the stage over which the rate rises again from 0 to what pretrain.optim says."""
    rate: StageRate | None = None
    """A schedule of the stage's own; none follows that of pretrain.optim."""

    @rule("rewarm_tokens")
    def warmed_up_once(self) -> str | None:
        if self.rewarm_tokens and self.rate is not None:
            return "a stage with a rate of its own is warmed up by rate.warmup_tokens; remove one of the two"
        if self.rewarm_tokens > self.tokens:
            return f"the warm-up of {self.rewarm_tokens} tokens is longer than the stage ({self.tokens} tokens)"
        return None

    @rule("rate")
    def rate_fits(self) -> str | None:
        return self.rate.misfit(self.tokens) if self.rate is not None else None

    @rule("mixture")
    def positive_weights(self) -> str | None:
        wrong = [name for name, weight in self.mixture.items() if not 0 < weight < float("inf")]
        return f"weights must be positive numbers, which {', '.join(wrong)} is not" if wrong else None


class Optim(Schedule):
    """AdamW and its schedule, which goes over all stages that have none of their own."""

    lr: float = Field(default=2.5e-5, gt=0)
    """Peak learning rate."""
    new_rows_lr: float = Field(default=1.0, gt=0)
    """Learning rate of the new tokens' embedding rows, as a multiple of lr."""
    embeddings_lr: float = Field(default=1.0, gt=0)
    """Learning rate of the embeddings' other rows, as a multiple of lr."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Decay of Adam's first and second moment."""
    eps: float = Field(default=1e-8, gt=0)
    """Added to the root of the second moment."""
    weight_decay: float = Field(default=0.1, ge=0)
    """Decoupled decay; norms, biases and embeddings have none."""
    clip_norm: float = Field(default=1.0, gt=0)
    """Gradients with a larger global norm are scaled down to it."""
    z_loss: float = Field(default=0.0, ge=0)
    """Weight of (log Σ exp logits)² in what is minimised, by token; PaLM has 1e-4 (arXiv:2204.02311); 0 is off."""


class Parallel(Section):
    """How the processes share the model and the data."""

    processes: int = Field(default=1, ge=1)
    """Processes on each node; `tsugiki run` starts them itself."""
    tensor: int = Field(default=1, ge=1)
    """Tensor parallelism (Megatron)."""
    pipeline: int = Field(default=1, ge=1)
    """Pipeline stages (Megatron)."""
    context: int = Field(default=1, ge=1)
    """Context parallelism (Megatron): so many processes share each sequence."""
    sequence: bool = False
    """Sequence parallelism (Megatron): tensor ranks share what stands between their matrices, too."""
    overlap: bool = False
    """Gradients are summed over the data ranks, and changed weights gathered, while layers compute (Megatron)."""
    zero: Literal["0", "1", "2", "3"] = "1"
    """ZeRO stage (DeepSpeed)."""
    offload: Literal["none", "optimizer"] = "none"
    """optimizer: fp32 weights, gradients and moments in host memory, and AdamW's step there (DeepSpeed, ZeRO 3)."""


class Checkpoint(Section):
    """When the state is saved."""

    every_steps: int = operational(500, ge=1)
    """Optimizer steps between two checkpoints; one is always written at the end."""
    asynchronous: bool = operational(True)
    """Files are written while training goes on, from a copy in host memory; false: training waits, and the host needs
    no memory for the copy."""
    keep_last: int = operational(2, ge=1)
    """So many of the newest are kept; others are removed unless one of the next keys keeps them."""
    keep_every_steps: int | None = operational(None, ge=1)
    """Checkpoints at multiples of so many optimizer steps are kept for good."""
    keep_best: int = operational(0, ge=0)
    """So many are kept of those with the fewest held-out bits per character; only what `evaluate` measured counts."""
    keep_best_by: str = operational("mean")
    """What is compared: a source, a language, or mean, in which each language weighs the same."""

    @rule("keep_every_steps")
    def milestones_are_saved(self) -> str | None:
        if self.keep_every_steps is not None and self.keep_every_steps % self.every_steps:
            return f"must be a multiple of every_steps ({self.every_steps}), got {self.keep_every_steps}"
        return None


class Samples(Section):
    """What the model in training would write, for people to read: greedy continuations, and the likeliest next tokens.

    They are in checkpoints/samples.jsonl, TensorBoard and the report. A model may repeat what it was trained on, so
    treat them as you treat the model."""

    every: int = operational(1, ge=1)
    """Held-out measurements between two; besides, there are samples before any step and at the end of each stage."""
    tokens: int = operational(32, ge=1, le=512)
    """Tokens of each continuation; each costs a forward pass over all prompts, and ZeRO 3 gathers the weights in it."""
    top: int = operational(5, ge=1, le=50)
    """So many of the likeliest tokens after each prompt are written down with their probabilities."""
    prompts: tuple[str, ...] = operational(
        ("日本の首都は", "むかしむかし、", "The capital of Japan is", "Once upon a time"), max_length=64
    )
    """Openings that are continued; they are written down, so take none that must not be read. Empty is off."""

    @rule("prompts")
    def prompts_with_text(self) -> str | None:
        return "a prompt must have text; take the empty ones out" if "" in self.prompts else None


class Evaluate(Section):
    """Held-out measurements."""

    every_steps: int = Field(default=500, ge=1)
    """Optimizer steps between two measurements; besides, there is one before any step and one at the end of each
    stage."""
    max_documents: int = Field(default=500, ge=1)
    """Held-out documents per source that are measured, the first by id."""
    samples: Samples = operational(Samples())


class Log(Section):
    """What is told of a run while it goes on."""

    every_steps: int = operational(10, ge=1)
    """Optimizer steps between two lines of progress, and between two measurements of speed over all ranks."""
    straggler: float = operational(0.2, gt=0)
    """A rank whose own work takes longer than that of the rank in the middle by more than this share holds the others
    up."""
    straggler_intervals: int = operational(3, ge=1)
    """Measurements of speed in a row in which a rank holds the others up, before it is named."""


class Pretrain(Section):
    """Continued pretraining of the base model."""

    base: str
    """Folder or hub name of the HF checkpoint to continue from."""
    revision: str | None = operational(None, min_length=1)
    """Branch, tag or commit of a base on the hub; none is main. The run keeps to the commit that it finds first."""
    end_of_document: str | None = None
    """Token that ends each document; none takes the tokenizer's eos."""
    seq_len: int = Field(default=4096, ge=8)
    """Tokens of a packed sequence."""
    micro_batch: int = operational(1, ge=1)
    """Sequences of pretrain.seq_len in one forward pass on one rank; of longer ones so many fewer."""
    batch_tokens: int = Field(default=4_194_304, ge=1)
    """Tokens per optimizer step, over all ranks."""
    token_sources: dict[SourceName, str] = Field(default_factory=dict)
    """Sources that are tokens already: by name, the path of Megatron's .bin and .idx without the ending. They may be
    of any integer type, made with this run's tokenizer or its base's: an id beyond the vocabulary is refused. A
    document that does not end with the end token gets one. They are read once, used where they are, and never copied;
    being no text, they are neither deduplicated nor held out."""
    foreign_tokens: Literal["refuse", "accept"] = operational("refuse")
    """What becomes of token_sources that look as if another tokenizer had made them: most of their documents do not
    come back when they are turned into text and encoded again. accept is for tokens that were cut in another way on
    purpose, as at random (BPE dropout) or line by line."""
    stages: dict[str, Stage] = Field(min_length=1)
    """The stages by name, in order; only the last may grow later."""
    optim: Optim = Optim()
    precision: Literal["bf16", "fp32"] = "bf16"
    """bf16: matrices multiply in bfloat16; weights, moments and sums are kept in float32 all the same."""
    engine: EngineName = operational("single")
    """single: plain torch; deepspeed: ZeRO; megatron: tensor, pipeline and context parallelism."""
    parallel: Parallel = operational(Parallel())
    attention: AttentionKernel | Literal["auto"] = operational("auto")
    """The kernel of attention; a named one that is not installed, or fails its proof at the start, ends the run there.
    auto: on a GPU the first that proves itself of transformer_engine, flash_attn, varlen, flex, sdpa; on a CPU sdpa."""
    recompute: Literal["none", "layers"] = operational("none")
    """layers: activations within a layer are computed again in the backward pass instead of kept."""
    checkpoint: Checkpoint = Checkpoint()
    evaluate: Evaluate = Evaluate()
    forgetting: Forgetting = operational(Forgetting())
    guards: Guards = Guards()
    stop: Stop = operational(Stop())
    hang_seconds: float | None = operational(1800.0, gt=0)
    """Seconds after which training ends that has not ended a step, a measurement or the start of a save; every process
    writes its stacks to run.dir/hang before. None waits for ever."""
    log: Log = operational(Log())

    def seq_len_in(self, stage: Stage) -> int:
        """Tokens of a packed sequence in a stage."""
        return stage.seq_len if stage.seq_len is not None else self.seq_len

    def steps_in(self, stage: Stage) -> int:
        """Optimizer steps of a stage."""
        return -(-stage.tokens // self.batch_tokens)

    def sequences_in(self, stage: Stage) -> int:
        """Sequences of one optimizer step in a stage, over all ranks."""
        return self.batch_tokens // self.seq_len_in(stage)

    def micro_batch_in(self, stage: Stage) -> int:
        """Sequences of a forward pass in a stage: about as many tokens as in the others, so about as much memory."""
        return max(1, self.micro_batch * self.seq_len // self.seq_len_in(stage))

    @property
    def last_rope_base(self) -> float | None:
        """Base of the rotary embedding when training ends; none if no stage changes the model's."""
        return next((stage.rope_base for stage in reversed(self.stages.values()) if stage.rope_base), None)

    @property
    def last_seq_len(self) -> int:
        """Tokens of a packed sequence when training ends."""
        return self.seq_len_in(list(self.stages.values())[-1])

    @field_validator("precision", mode="before")
    @classmethod
    def not_fp8(cls, value: Any) -> Any:
        if str(value).startswith("fp8"):
            raise PydanticCustomError("fp8", "fp8 is not trained in for now; choose bf16, or fp32 for tests")
        return value

    @rule("batch_tokens")
    def whole_sequences(self) -> str | None:
        for name, stage in self.stages.items():
            seq_len, micro_batch = self.seq_len_in(stage), self.micro_batch_in(stage)
            which = "seq_len" if stage.seq_len is None else f"the seq_len of stage {name!r}"
            if self.batch_tokens % seq_len:
                return f"must be a multiple of {which} ({seq_len}), got {self.batch_tokens}"
            if (sequences := self.sequences_in(stage)) % micro_batch:
                return f"its {sequences} sequences must be a multiple of micro_batch ({micro_batch})"
        return None

    @rule("optim")
    def schedule_fits(self) -> str | None:
        if all(stage.rate is not None for stage in self.stages.values()):
            return None
        return self.optim.misfit(sum(stage.tokens for stage in self.stages.values()))

    @rule("parallel")
    def layout_fits_engine(self) -> str | None:
        sharded = self.parallel.tensor * self.parallel.pipeline * self.parallel.context
        if self.engine == "single" and (self.parallel.processes > 1 or sharded > 1):
            return "the engine 'single' is one process; choose deepspeed or megatron"
        if self.engine == "deepspeed" and sharded > 1:
            return "tensor, pipeline and context parallelism need the engine 'megatron'"
        if self.parallel.sequence and self.parallel.tensor == 1:
            return "sequence parallelism needs tensor parallelism; set parallel.tensor, or sequence: false"
        if self.parallel.overlap and self.engine != "megatron":
            return "overlap needs the engine 'megatron'"
        if self.parallel.offload != "none" and (self.engine != "deepspeed" or self.parallel.zero != "3"):
            return "offload needs the engine 'deepspeed' and zero: 3"
        return None
