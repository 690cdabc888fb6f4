from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from configs.artifact import Artifact
from configs.errors import UserError
from configs.schema.run import Run
from corpus.documents import documents, shards_of
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.document_format import DocumentFormat
from pretrain.engines.base import EngineSpec
from pretrain.engines.build import build_engine
from pretrain.evaluate import load_held_out, measure, refuse_unmeasured_budgets
from pretrain.initial import graft
from pretrain.micro_batch import MicroBatch
from pretrain.stage import train_plan

MakeRun = Callable[..., Run]


class CountingEngine:
    """An engine that finds every token equally likely, on one of several ranks."""

    def __init__(self, nats: float, data_rank: tuple[int, int] = (0, 1)) -> None:
        self.nats, self.data_rank, self.passes = nats, data_rank, 0

    def eval_sums(self, micro_batches: Sequence[MicroBatch]) -> dict[int, tuple[float, int]]:
        sums: dict[int, tuple[float, int]] = {}
        for batch in micro_batches:
            self.passes += 1
            source = int(batch.source_T[0])
            nll, tokens = sums.get(source, (0.0, 0))
            sums[source] = (nll + self.nats * batch.labelled, tokens + batch.labelled)
        return sums


def _form(run: Run) -> DocumentFormat:
    return DocumentFormat.from_folder(train_plan(run).upstream["tokenizer"] / "hf", run.pretrain.end_of_document)


def _texts(run: Run) -> list[str]:
    corpus = Artifact.open(train_plan(run).upstream["corpus"])
    return [text for _, text in documents(shards_of(corpus, "held_out", "inhouse"))]


def test_every_character_is_predicted(packed: MakeRun) -> None:
    run = packed()
    corpus = Artifact.open(train_plan(run).upstream["corpus"])
    form = _form(run)
    held_out = load_held_out(run, corpus, form)
    texts = _texts(run)
    assert held_out.characters["inhouse"] == sum(map(len, texts)) > 0
    engine = CountingEngine(nats=math.log(2))
    measured = measure(engine, held_out)["inhouse"]  # type: ignore[arg-type]  # the part of an engine that is used
    assert measured.tokens == sum(len(form.tokenizer.encode(text)) for text in texts)
    assert measured.bits_per_character == pytest.approx(measured.tokens / measured.characters)


def test_bits_per_character_are_those_of_the_model_run_document_by_document(packed: MakeRun) -> None:
    """Against transformers itself: packing, cutting and positions change nothing but the kernels' rounding."""
    run = packed("pretrain.seq_len=256", "pretrain.batch_tokens=256")
    base = graft(Path(run.pretrain.base), train_plan(run).upstream["tokenizer"])
    corpus = Artifact.open(train_plan(run).upstream["corpus"])
    form = DocumentFormat.from_folder(base.base, run.pretrain.end_of_document)
    spec = EngineSpec(
        base.base, base.first_new_row, base.first_new_row, "all", run.pretrain.optim, run.pretrain.parallel
    )
    engine = build_engine("single", spec)
    engine.load_state(HfFolderReader(base.base), 0)
    measured = measure(engine, load_held_out(run, corpus, form))
    model = AutoModelForCausalLM.from_pretrained(base.base).eval()
    nats = 0.0
    for _, text in documents(shards_of(corpus, "held_out", "english")):
        ids = torch.tensor([[form.end, *form.tokenizer.encode(text)]])
        assert ids.shape[1] <= 256
        with torch.no_grad():
            logits = model(ids).logits[0, :-1]
        nats += float(torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
    assert measured["english"].nll_nats == pytest.approx(nats, rel=1e-5)


def test_every_rank_makes_equally_many_passes(packed: MakeRun) -> None:
    run = packed()
    held_out = load_held_out(run, Artifact.open(train_plan(run).upstream["corpus"]), _form(run))
    engines = [CountingEngine(1.0, (rank, 3)) for rank in range(3)]
    for engine in engines:
        measure(engine, held_out)  # type: ignore[arg-type]  # the part of an engine that is used
    assert len({engine.passes for engine in engines}) == 1
    assert engines[0].passes * 3 >= len(held_out.micro_batches)


def test_it_tells_how_far_it_is_and_measures_the_same_in_parts(packed: MakeRun) -> None:
    run = packed("pretrain.seq_len=16", "pretrain.batch_tokens=16")
    held_out = load_held_out(run, Artifact.open(train_plan(run).upstream["corpus"]), _form(run))
    told: list[tuple[int, int]] = []
    engine = CountingEngine(1.0)
    measured = measure(engine, held_out, lambda *far: told.append(far))  # type: ignore[arg-type]  # as above
    count = len(held_out.micro_batches)
    assert count > 10
    assert engine.passes == count
    assert told[-1] == (count, count)
    assert 1 < len(told) <= 10
    assert measured["inhouse"].tokens == sum(len(_form(run).tokenizer.encode(text)) for text in _texts(run))


def test_at_most_so_many_documents_are_measured(packed: MakeRun) -> None:
    run = packed("pretrain.evaluate.max_documents=1")
    corpus = Artifact.open(train_plan(run).upstream["corpus"])
    held_out = load_held_out(run, corpus, _form(run))
    first = min(documents(shards_of(corpus, "held_out", "english")))
    assert held_out.characters["english"] == len(first[1])


@pytest.mark.parametrize("name", ["english", "en"], ids=["source", "language"])
def test_a_budget_that_no_held_out_text_can_check_is_refused(packed: MakeRun, name: str) -> None:
    run = packed(f"pretrain.forgetting.budgets={{{name}: 0.1, inhouse: 0.1}}")
    held_out = load_held_out(run, Artifact.open(train_plan(run).upstream["corpus"]), _form(run))
    refuse_unmeasured_budgets(run, held_out)
    without = replace(held_out, characters={**held_out.characters, "english": 0})
    with pytest.raises(UserError, match=rf"^pretrain\.forgetting\.budgets: there is no held-out text of {name}; raise"):
        refuse_unmeasured_budgets(run, without)
