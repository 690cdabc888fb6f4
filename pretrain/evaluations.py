"""Held-out measurements and samples in the course of training: the untouched base's once, the model's now and then."""

from __future__ import annotations

import logging
from dataclasses import replace

from configs.artifact import Artifact
from pretrain import ranks
from pretrain.checkpoint.hf_reader import HfFolderReader
from pretrain.document_format import DocumentFormat
from pretrain.engines import hf_model
from pretrain.engines.base import Engine
from pretrain.engines.build import build_engine
from pretrain.evaluate import HeldOut, load_held_out, measure
from pretrain.forgetting import excesses, forgotten
from pretrain.samples import samples
from pretrain.session import Session
from pretrain.stage import train_plan
from tokenizer.base import Base

_log = logging.getLogger(__name__)


def evaluate_base(session: Session) -> None:
    """Measure the untouched base with its own tokenizer, and let it write: what the result is compared with."""
    run = session.run
    if session.done.step > 0:
        return
    to_measure, to_sample = not _is_written(session, "evaluation", "base"), _samples_are_due(session, "base")
    if not to_measure and not to_sample:
        return
    corpus = Artifact.open(train_plan(run).upstream["corpus"])
    form = DocumentFormat.from_folder(Base.of_tokenizer(run).folder_without_weights(), run.pretrain.end_of_document)
    held_out = load_held_out(run, corpus, form)
    rows = hf_model.read_config(session.graft.base).vocab_size
    spec = replace(session.spec(session.job.stages[0]), vocab_rows=rows, train="all", rope_base=None)
    engine = build_engine(run.pretrain.engine, spec)
    engine.load_state(HfFolderReader(session.graft.base), 0)
    if to_measure:
        _evaluate(session, engine, held_out, "base")
    if to_sample:
        _sample(session, engine, form, "base")
    engine.close()


def evaluate_trained(session: Session, engine: Engine) -> None:
    """Measure the model as it is now, unless an earlier attempt did at this step; warns of what it has forgotten."""
    if not _is_written(session, "evaluation", "trained"):
        _evaluate(session, engine, session.held_out, "trained")
    if _samples_are_due(session, "trained"):
        _sample(session, engine, session.form, "trained")
    if session.metrics is not None:
        step, shares = _newest_shares(session)
        for excess in excesses(session.run.pretrain.forgetting, shares) if step == session.done.step else ():
            _log.warning("step %d  forgets more than its budget: %s", step, excess)


def why_to_stop(session: Session) -> str | None:
    """What the run has forgotten by its newest measurement, where that must end it. Collective."""
    if session.run.pretrain.forgetting.action == "warn":
        return None
    reason: str | None = None
    if session.metrics is not None:
        step, shares = _newest_shares(session)
        found = excesses(session.run.pretrain.forgetting, shares)
        if found:
            reason = (
                f"pretrain.forgetting: after step {step} the model predicts worse than the untouched base: "
                f"{'; '.join(map(str, found))}. The state is saved; raise the budget or set action: warn to go on "
                "from here, or start anew with a lower optim.lr or more of such text in the mixture"
            )
    return ranks.from_first(reason)


def _newest_shares(session: Session) -> tuple[int, dict[str, float]]:
    """Step of the newest measurement after the first step, and what was forgotten by then. On rank 0."""
    assert session.metrics is not None
    language_of = {name: source.language for name, source in session.run.corpus.sources.items()}
    by_step = forgotten(session.metrics.evaluations, language_of)
    newest = max(by_step, default=0)
    # New rows that have learned nothing yet are no forgetting.
    return (newest, by_step[newest]) if newest > 0 else (0, {})


def _evaluate(session: Session, engine: Engine, held_out: HeldOut, model: str) -> None:
    if not held_out.micro_batches:
        return
    with session.progress.aside(f"held-out text, {model} model") as tell:
        measured = measure(engine, held_out, tell)
    if session.metrics is None:
        return
    line = {
        "kind": "evaluation",
        "step": session.done.step,
        "model": model,
        "sources": {source: one.to_json() for source, one in measured.items()},
    }
    scalars = {f"eval/{model}/bits_per_character/{source}": one.bits_per_character for source, one in measured.items()}
    scalars |= {f"eval/{model}/bits_per_byte/{source}": one.bits_per_byte for source, one in measured.items()}
    session.metrics.write(line, scalars)
    told = "  ".join(f"{source} {one.bits_per_character:.3f}" for source, one in measured.items())
    _log.info("step %d  %s  bits per character  %s", session.done.step, model, told)


def _samples_are_due(session: Session, model: str) -> bool:
    evaluate, job, step = session.run.pretrain.evaluate, session.job, session.done.step
    is_turn = step % (evaluate.every_steps * evaluate.samples.every) == 0 or step in {stage.end for stage in job.stages}
    return bool(evaluate.samples.prompts) and is_turn and not _is_written(session, "samples", model)


def _sample(session: Session, engine: Engine, form: DocumentFormat, model: str) -> None:
    with session.progress.aside(f"samples, {model} model"):
        made = samples(engine, session.run, form)
    if session.metrics is not None:
        session.metrics.write_samples({"kind": "samples", "step": session.done.step, "model": model, "samples": made})


def _is_written(session: Session, kind: str, model: str) -> bool:
    written = session.metrics is not None and session.metrics.has(kind, session.done.step, model)
    return ranks.from_first(written)
