"""The `tokenizer` section: how many tokens are added, and how they begin."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from configs.schema.section import Section, operational, rule

Boundaries = Literal["morphemes", "soft"]
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


class Auto(Section):
    """What `add: auto` goes by, and the recommendation of `tsugiki tokenizer curve`."""

    most: int = Field(default=32_000, ge=1, le=1_000_000)
    """Largest number of new tokens that is tried."""
    min_gain: float = Field(default=0.1, ge=0)
    """The text of tokenizer.languages must have this share more characters per token, or the base's tokenizer is kept.
    Published Japanese and Chinese models left alone what would have gained about 5 %; extended was what gains 30 %."""
    min_doubling_gain: float = Field(default=0.01, ge=0)
    """Twice as many new tokens must bring at least this share more characters per token."""
    seen: int = Field(default=500, ge=1)
    """A token that training meets less often is seldom seen: its row hardly learns."""
    max_seldom: float = Field(default=0.1, ge=0, le=1)
    """At most this share of the new tokens may be seldom seen within the tokens of pretrain.stages."""


class FoundWords(Section):
    """Words of in-house text that become tokens by themselves."""

    most: int = Field(default=0, ge=0, le=100_000)
    """Of the words that qualify, so many that save most tokens; 0 looks for none. A word is a compound, as 品質保証課,
    or a morpheme by itself. They are looked for in sources with `access`, and listed in `terms.jsonl` of the run's
    `units` and `tokenizer`."""
    min_count: int = Field(default=100, ge=1)
    """A word must stand so often in these sources."""
    min_pieces: int = Field(default=5, ge=2)
    """The base must cut a word into so many tokens."""


class Tokenizer(Section):
    """Extension of the base's tokenizer by frequent units of the corpus."""

    base: str | None = None
    """Folder or hub name of the tokenizer; none takes pretrain.base."""
    revision: str | None = operational(None, min_length=1)
    """Branch, tag or commit of tokenizer.base on the hub; none is main."""
    add: Annotated[int, Field(ge=0, le=1_000_000)] | Literal["auto"] = 0
    """New tokens; 0 keeps the base tokenizer, auto takes what `tsugiki tokenizer curve` recommends."""
    auto: Auto = Auto()
    languages: tuple[str, ...] = ("ja",)
    """Sources in these languages are learned from."""
    min_count: int = Field(default=5, ge=1)
    """A token must occur at least so often in the text it is learned from."""
    terms: tuple[str, ...] = ()
    """Files, folders or globs of term lists: text with a term a line; # at its beginning or behind a space begins a
    remark. Each term becomes one token, before anything is learned, and so does what it is joined from; all of these
    are part of `add`. A term may stand across morphemes. What becomes of each is listed in `terms.jsonl` of the run's
    `units` and `tokenizer`."""
    terms_min_count: int = Field(default=100, ge=1)
    """A term that stands less often in the text that is learned from is left out. An input row of a new token gains
    little from more than 100 places (arXiv:2505.20133), and one that is met more seldom hardly learns."""
    found_words: FoundWords = FoundWords()
    boundaries: Boundaries = "morphemes"
    """What no token is learned across: morphemes, or, soft, only phrases (up to the end of the hiragana behind a word,
    about a bunsetsu), so that frequent compounds and words with their particles become tokens, too; I9 is off then."""
    sample_bytes: int = Field(default=10_000_000_000, ge=1)
    """Text to learn from; a larger corpus is sampled by document id."""
    init: Init = Init()
    workers: int = operational(0, ge=0)
    """Processes; 0 takes one per CPU that the allocation gives."""

    @property
    def most_new_tokens(self) -> int:
        """So many at most."""
        return self.auto.most if self.add == "auto" else self.add

    @property
    def asks_for_terms(self) -> bool:
        """Whether there may be tokens that are not learned."""
        return bool(self.terms) or self.found_words.most > 0

    @property
    def of_terms(self) -> dict[str, Any]:
        """The values that say which; none without any, so that nobody's directory changes by keys that are not used."""
        if not self.asks_for_terms:
            return {}
        found_words = self.found_words.digested()
        if self.found_words.most:
            found_words["of"] = "compounds"  # once they were of single morphemes
        return {"terms_min_count": self.terms_min_count, "found_words": found_words}

    @property
    def of_boundaries(self) -> dict[str, Any]:
        """The same of boundaries."""
        return {} if self.boundaries == "morphemes" else {"boundaries": self.boundaries}

    def digested(self) -> dict[str, Any]:
        # Of lists their bytes count, not their paths: they are raw files.
        values = super().digested()
        for name in ("terms", "terms_min_count", "found_words", "boundaries"):
            del values[name]
        return {**values, **self.of_terms, **self.of_boundaries}

    @rule("terms")
    def terms_are_part_of_add(self) -> str | None:
        if self.terms and self.add == 0:
            return "would be new tokens, and tokenizer.add is 0; set it to the number of new tokens, or to auto"
        return None

    @rule("found_words")
    def found_words_are_part_of_add(self) -> str | None:
        if self.found_words.most and self.add == 0:
            return "would be new tokens, and tokenizer.add is 0; set it to the number of new tokens, or to auto"
        return None

    @rule("revision")
    def revision_of_a_base(self) -> str | None:
        if self.revision is not None and self.base is None:
            return "is that of tokenizer.base, which is not given; pretrain.revision is that of pretrain.base"
        return None
