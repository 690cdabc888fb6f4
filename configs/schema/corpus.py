"""The `corpus` section: what is read and what becomes of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from configs.schema.decontaminate import Decontaminate
from configs.schema.dedup import Dedup
from configs.schema.mask import Mask
from configs.schema.names import SourceName
from configs.schema.preset import RuleChange
from configs.schema.section import Section, operational, rule

# One per module of corpus/read/formats; a test holds the two together.
Format = Literal[
    "auto",
    "docx",
    "eml",
    "epub",
    "html",
    "jsonl",
    "odt",
    "parquet",
    "pdf",
    "pptx",
    "sgml",
    "tar",
    "txt",
    "warc",
    "xlsx",
    "zip",
]

ListName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]


class Source(Section):
    """One source of documents: files, or a dataset that the `datasets` library loads."""

    path: str | None = None
    """File, folder (read to the bottom) or glob."""
    dataset: str | None = None
    """Name or folder for `datasets.load_dataset`."""
    dataset_config: str | None = None
    """The dataset's configuration, where it has several."""
    split: str = "train"
    """Split of the dataset."""
    revision: str | None = operational(None, min_length=1)
    """Branch, tag or commit of a dataset on the hub; none is main. The run keeps to the commit that it finds first."""
    format: Format = "auto"
    """Format of the files; auto goes by the ending."""
    text_key: str = "text"
    """Field of a record that holds the text."""
    meta_keys: tuple[str, ...] = ()
    """Further fields of a record that are kept in the column meta, masked like the text."""
    language: str = Field(pattern=r"^([a-z]{2,3}|code)$")
    """Language of the source (ISO 639), e.g. ja, or code; rules and evaluation go by it."""
    license: str = ""
    """Licence of the texts, carried to the model card."""
    access: str = ""
    """Who may see the texts, in the owner's words, e.g. internal; carried with every document and to the manifest."""
    retention: str = ""
    """How long they may be kept, e.g. until 2030-03-31; carried with every document and to the manifest."""
    ocr: tuple[str, ...] = ()
    """Command that prints the text of a PDF without a text layer, as UTF-8; {path} in an argument is the file's."""
    ocr_s: float = Field(default=600, gt=0)
    """Seconds that the command may take for one file."""

    @rule("path")
    def one_origin(self) -> str | None:
        if (self.path is None) == (self.dataset is None):
            return "give either path or dataset"
        return None

    @rule("revision")
    def revision_of_a_dataset(self) -> str | None:
        return "only a dataset has revisions; files are what they are" if self.revision and self.path else None


class Normalise(Section):
    """Changes that make equal text equal bytes; which steps run, and in what order, is the preset's to say."""

    keep: str = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳…‥～：；！？（）"
    """Characters that the compatibility normalisation (NFKC) leaves as they are."""


class HeldOut(Section):
    """Documents that are never trained on and measure the result."""

    share: float = Field(default=0.01, ge=0, lt=1)
    """Share of each source's documents (clusters of duplicates go together)."""
    max_documents: int = Field(default=2_000, ge=0)
    """At most so many per source."""


class Limits(Section):
    """What is too large to be a document."""

    document_bytes: int = Field(default=50_000_000, ge=1)
    """A larger file or record is quarantined, and one whose text is larger."""
    document_s: float = Field(default=60, gt=0)
    """Seconds that reading one PDF may take; then it is quarantined."""
    archive_bytes: int = Field(default=100_000_000_000, ge=1)
    """An archive gives at most so many bytes, archives in it included; the rest of it is quarantined."""
    archive_ratio: int = Field(default=200, ge=1)
    """An archive gives at most so many times its own size, or 10 MB."""
    archive_members: int = Field(default=200_000, ge=1)
    """An archive gives at most so many members, archives in it included."""
    archive_depth: int = Field(default=3, ge=1)
    """Archives in archives are read down to this level; 1 reads none in another."""
    max_bad_share: float = operational(0.2, ge=0, le=1)
    """A larger share of unreadable records in a source stops the run; unknown formats and empty files do not count."""
    task_bytes: int = Field(default=256_000_000, ge=1_000)
    """Work is cut into tasks, and output into shards, of about this much input."""


class WordList(Section):
    """Words of which a document may have a few."""

    path: str
    """A UTF-8 file with a word a line, or the name of a list in configs/words."""
    max_hits: int = Field(default=3, ge=0)
    """A document with more hits goes; llm-jp-corpus v1 has 3, strict 2."""


class Corpus(Section):
    """From sources to clean, deduplicated shards."""

    sources: dict[SourceName, Source] = Field(min_length=1)
    """The sources by name, preferred ones first: of two duplicates the earlier source's stays."""
    preset: str = "inhouse"
    """Normalisation steps and rules: a name in configs/presets, or the path of a YAML file."""
    rules: dict[str, RuleChange] = Field(default_factory=dict)
    """By reason: other bounds than the preset's; `tsugiki corpus retune` shows beforehand what they would change."""
    word_lists: dict[ListName, WordList] = Field(default_factory=dict)
    """Lists of words by name; katakana, Latin words, numbers and morphemes hit only where they stand alone."""
    host_lists: dict[ListName, str] = Field(default_factory=dict)
    """Files of hosts by name, one a line: documents from them, or from below them, go."""
    normalise: Normalise = Normalise()
    mask: Mask = Mask()
    dedup: Dedup = Dedup()
    held_out: HeldOut = HeldOut()
    decontaminate: Decontaminate = Decontaminate()
    limits: Limits = Limits()
    engine: Literal["processes", "ray"] = operational("processes")
    """What does the work: processes of one machine, or of each of slurm.corpus_jobs; or a Ray cluster, which the
    variable RAY_ADDRESS names, and which `slurm submit` starts on slurm.corpus_jobs nodes."""
    workers: int = operational(0, ge=0)
    """Processes; 0 takes one per CPU that the allocation gives."""
