"""The `tokenizer` section: how many tokens are added, and how they begin."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.section import Section, operational, rule

InitMethod = Literal["mean", "weighted", "first", "last", "align", "random"]


class Init(Section):
    """First values of the new embedding rows."""

    method: InitMethod = "mean"
    """Of input rows, and of the rows of a tied embedding: what is taken of the old tokens that used to spell the new
    one. mean; weighted, each twice as much as the one before; first or last, that one alone; align, the mean over all
    places where the new token stands in the corpus; random, a normal draw like the old rows."""
    norm: float | None = Field(default=None, gt=0)
    """Norm of such a row, as a multiple of the median norm of the old rows; none leaves it as it comes."""
    output_method: InitMethod = "first"
    """The same of the rows of an output embedding of its own; weighted, each half as much as the one before."""
    output_norm: float | None = Field(default=None, gt=0)
    """Norm of such a row, as a multiple of the median norm of the old rows; none takes output_scale."""
    output_scale: float = Field(default=0.9, gt=0)
    """Without output_norm: length of such a row, as a multiple of what the method gives."""
    pad_to_multiple: int = Field(default=1, ge=1)
    """Rows are padded with zeros up to a multiple of this, for tensor parallelism."""


class Tokenizer(Section):
    """Extension of the base's tokenizer by frequent units of the corpus."""

    base: str | None = None
    """Folder or hub name of the tokenizer; none takes pretrain.base."""
    revision: str | None = operational(None, min_length=1)
    """Branch, tag or commit of tokenizer.base on the hub; none is main."""
    add: int = Field(default=0, ge=0, le=1_000_000)
    """New tokens; 0 keeps the base tokenizer."""
    languages: tuple[str, ...] = ("ja",)
    """Sources in these languages are learned from."""
    min_count: int = Field(default=5, ge=1)
    """A token must occur at least so often in the text it is learned from."""
    sample_bytes: int = Field(default=10_000_000_000, ge=1)
    """Text to learn from; a larger corpus is sampled by document id."""
    init: Init = Init()
    workers: int = operational(0, ge=0)
    """Processes; 0 takes one per CPU that the allocation gives."""

    @rule("revision")
    def revision_of_a_base(self) -> str | None:
        if self.revision is not None and self.base is None:
            return "is that of tokenizer.base, which is not given; pretrain.revision is that of pretrain.base"
        return None
