"""How new rows start, and how far they come: held-out bits per character before training and after some steps.

Base, text, tokens, order and learning rates are the same for every method, those of the quickstart in shorter
sequences; the untied base is the tied one with a copy of its embedding as output.
"""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from benchmarks.figures import Figures, figure
from configs.artifact import Artifact
from configs.atomic_file import read_json
from configs.load import load
from configs.schema.run import Run
from corpus.build import build_corpus
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.document_format import DocumentFormat
from pretrain.engines import hf_model
from pretrain.engines.base import Engine, EngineSpec, Limits, StateReader
from pretrain.engines.build import build_engine
from pretrain.evaluate import HeldOut, load_held_out
from pretrain.evaluate import measure as measure_held_out
from pretrain.initial import graft
from pretrain.job import Job
from pretrain.measured import by_language
from pretrain.pack import pack_tokens
from pretrain.schedule import lr_by_group, lr_share
from tokenizer.embed import RowsOf
from tokenizer.extend import extend_tokenizer
from tokenizer.recipe import NEW_ROWS, Recipe

_log = logging.getLogger(__name__)

_RUN_FILE = "configs/quickstart.yaml"
_OVERRIDES = (
    "corpus.sources={inhouse: {path: configs/quickstart/inhouse, language: ja, license: Apache-2.0}}",
    "pretrain.stages={all: {tokens: 6400, mixture: {inhouse: 1}}}",
    "pretrain.seq_len=128",
    "pretrain.batch_tokens=128",
    "pretrain.optim.warmup_tokens=512",
    "pretrain.precision=bf16",
    "pretrain.evaluate.max_documents=1",
)
_MOST_AT_START = 1.5
"""Times the base's bits per character that the default may start at."""


@dataclass(frozen=True)
class Case:
    """A way for new rows to begin."""

    name: str
    input: RowsOf
    output: RowsOf | None = None
    """Of an untied base; none is a tied one."""


_RANDOM_SEED = 12
CASES = (
    Case("tied/mean", RowsOf("mean")),
    Case("tied/mean_norm_0.75", RowsOf("mean", 0.75)),
    Case("tied/mean_norm_1", RowsOf("mean", 1.0)),
    Case("tied/weighted", RowsOf("weighted")),
    Case("tied/first", RowsOf("first")),
    Case("tied/last", RowsOf("last")),
    Case("tied/align", RowsOf("align")),
    Case("tied/random", RowsOf("random", seed=_RANDOM_SEED)),
    Case("untied/mean_first", RowsOf("mean"), RowsOf("first", side="output")),
    Case("untied/mean_first_times_0.9", RowsOf("mean"), RowsOf("first", scale=0.9, side="output")),
    Case("untied/mean_first_norm_0.75", RowsOf("mean"), RowsOf("first", 0.75, side="output")),
    Case("untied/mean_mean", RowsOf("mean"), RowsOf("mean", side="output")),
    Case("untied/weighted_weighted", RowsOf("weighted"), RowsOf("weighted", side="output")),
)


def measure(
    run_file: Path = Path(_RUN_FILE), overrides: Sequence[str] = _OVERRIDES, cases: Sequence[Case] = CASES
) -> Figures:
    """Of each case: bits per character of held-out Japanese before any step and after the last, beside the base's."""
    with tempfile.TemporaryDirectory() as folder:
        asked = [*overrides, f"run.dir={folder}/run", "tokenizer.init.method=align"]  # so that occurrences are counted
        lab = _Lab(load(run_file, Run, asked), Path(folder))
        base = lab.bits_of_base()
        figures: Figures = {"rows/base/step_0": figure(base, "bits")}
        for case in cases:
            for step, bits in lab.bits(case).items():
                figures[f"rows/{case.name}/step_{step}"] = figure(bits, "bits", untouched_base=base)
                _log.info("%s, step %d: %.3f bits per character; base %.3f", case.name, step, bits, base)
    if "rows/tied/mean/step_0" in figures:
        figures["rows/tied/mean/step_0"]["peers"]["limit"] = _MOST_AT_START * base
    for one in figures.values():
        one["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return figures


class _Lab:
    """A corpus, an extended tokenizer and packed tokens; whatever does not depend on how rows begin."""

    def __init__(self, run: Run, root: Path) -> None:
        self._run, self._root, self._base = run, root, Path(run.pretrain.base)
        self._corpus = build_corpus(run)
        self._tokenizer = extend_tokenizer(run).dir
        pack_tokens(run)
        self._recipe = Recipe.read(self._tokenizer / NEW_ROWS)
        self._job = Job.prepare(run, 1)

    def bits_of_base(self) -> float:
        """Bits per character of the base with its own tokenizer."""
        rows = int(hf_model.read_config(self._base).vocab_size)
        with self._engine(self._base, rows, rows, HfFolderReader(self._base)) as engine:
            return self._bits(engine, self._held_out(self._base))

    def bits(self, case: Case) -> dict[int, float]:
        """Bits per character by step."""
        base = self._base if case.output is None else _untied(self._base, self._root / "untied")
        recipe = replace(self._recipe, input=case.input, output=case.output or case.input)
        place = self._root / "recipe"
        place.mkdir(exist_ok=True)
        (place / NEW_ROWS).write_text(json.dumps(recipe.to_json()))
        grafted = graft(base, place)
        held_out = self._held_out(self._tokenizer / "hf")
        with self._engine(base, grafted.vocab_rows, grafted.first_new_row, grafted.reader) as engine:
            bits = {0: self._bits(engine, held_out)}
            self._train(engine)
            return bits | {self._job.steps: self._bits(engine, held_out)}

    def _train(self, engine: Engine) -> None:
        optim, batch = self._run.pretrain.optim, self._job.batch_tokens
        for step in range(self._job.steps):
            rates = lr_by_group(optim, lr_share(optim, step * batch, self._job.tokens))
            engine.train_step(self._job.loader.micro_batches(step, engine.data_rank), rates, Limits(float("inf")))

    def _held_out(self, tokenizer: Path) -> HeldOut:
        form = DocumentFormat.from_folder(tokenizer, self._run.pretrain.end_of_document)
        return load_held_out(self._run, Artifact.open(self._corpus.dir), form)

    def _bits(self, engine: Engine, held_out: HeldOut) -> float:
        language_of = {name: source.language for name, source in self._run.corpus.sources.items()}
        return by_language(measure_held_out(engine, held_out), language_of)["ja"].bits_per_character

    @contextmanager
    def _engine(self, base: Path, rows: int, first_new: int, reader: StateReader) -> Iterator[Engine]:
        settings = self._run.pretrain
        spec = EngineSpec(
            base,
            rows,
            first_new,
            "all",
            settings.optim,
            settings.parallel,
            settings.precision,
            seq_len=settings.seq_len,
        )
        engine = build_engine("single", spec)
        engine.load_state(reader, 0)
        yield engine
        engine.close()


def _untied(base: Path, folder: Path) -> Path:
    """The base with an output embedding of its own, which is a copy."""
    if not folder.exists():
        shutil.copytree(base, folder)
        config = read_json(folder / "config.json")
        (folder / "config.json").write_text(json.dumps({**config, "tie_word_embeddings": False}))
        weights = load_file(folder / "model.safetensors")
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"].clone()
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder
