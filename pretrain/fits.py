"""Whether base, tokenizer and layout fit each other: known from small files, and said before any work is done."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from configs.errors import AgreedError
from configs.schema.run import Run
from pretrain.engines import hf_model
from pretrain.engines.megatron import layout
from tokenizer.base import Base


def refuse_misfit(run: Run) -> None:
    """See that training could begin; nothing is allocated.

    Raises:
        UserError: if the architecture is not supported, its embeddings are too few for the tokenizer, or the model's
            heads or layers cannot be shared as the run file wants.
    """
    settings = run.pretrain
    longest = max(settings.seq_len, *(settings.seq_len_in(stage) for stage in settings.stages.values()))
    base = Base.of_model(run).folder_without_weights()
    config = hf_model.read_config(base, seq_len=longest)
    tokens = _tokens(Base.of_tokenizer(run).folder_without_weights())
    if tokens is not None and config.vocab_size < tokens:
        raise AgreedError(f"{base}: its tokenizer has {tokens} tokens, its embeddings {config.vocab_size} rows")
    if settings.engine == "megatron":
        layout.plan(config, settings.parallel, run.slurm.nodes * settings.parallel.processes)


def _tokens(folder: Path) -> int | None:
    """How many ids the tokenizer has; none if it is of a kind that is looked at later."""
    path = folder / "tokenizer.json"
    if not path.exists():
        return None
    return 1 + max(Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True).values())
