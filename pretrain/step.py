"""One optimizer step of the loop, and what is written down of it."""

from __future__ import annotations

import time
from typing import Any

from pretrain.engines.base import Engine
from pretrain.job import TrainStage
from pretrain.prefetch import Prefetch
from pretrain.schedule import lr_by_group, share_in_stage
from pretrain.session import Session


def take_step(session: Session, engine: Engine, stage: TrainStage, batches_of: Prefetch) -> float:
    """Advance by one optimizer step; gives the mean loss in nats.

    Raises:
        UserError: if more steps were skipped than the run file allows.
    """
    settings, done, job = session.run.pretrain, session.done, session.job
    seen, begins, ends = (steps * job.batch_tokens for steps in (done.step, stage.first, stage.end))
    of_stage = settings.stages[stage.name]
    rates = lr_by_group(settings.optim, share_in_stage(settings.optim, of_stage, begins, ends, seen, job.tokens))
    began = time.monotonic()
    batches = batches_of.take(done.step)
    waited_s = time.monotonic() - began
    limits = session.guard.limits(new_stage=done.step == stage.first)
    sums = engine.train_step(batches, rates, limits)
    session.speedometer.add(batches, waited_s, time.monotonic() - began)
    done.step += 1
    done.adam_steps += not sums.skipped
    done.labelled += sums.tokens
    loss = sums.nll / max(sums.tokens, 1)
    if session.metrics is not None:
        line: dict[str, Any] = {
            "kind": "step",
            "step": done.step,
            "tokens": done.step * job.batch_tokens,
            "loss_nats": loss,
            "labelled": sums.tokens,
            "grad_norm": sums.grad_norm,
            "lr": rates["matrices"],
            "lr_embeddings": rates["embeddings"],
            "lr_new_rows": rates["new_rows"],
            "skipped": sums.skipped,
        }
        drawn = ("loss_nats", "grad_norm", "lr", "lr_embeddings", "lr_new_rows")
        scalars = {f"train/{name}": line[name] for name in drawn}
        session.metrics.write(line, scalars)
        _write_order(session)
    session.guard.check(done.step, sums, limits)
    return loss


def tell_speed(session: Session, engine: Engine, stage: TrainStage, loss: float) -> None:
    """Write down how fast the steps since the last time were, and say how far the run is. Collective."""
    done, job = session.done, session.job
    speed = session.speedometer.read(engine, stage)
    if session.metrics is None:
        return
    session.metrics.write_speed(speed.to_json(done.step, session.speedometer.hosts), speed.scalars())
    session.progress.tell(f"{stage.name}  step {done.step}/{job.steps}  loss {loss:.3f}  {speed.told()}")
    session.speedometer.name_straggler(speed)


_ORDER_EVERY = 1000


def _write_order(session: Session) -> None:
    """Log the digest of each 1,000 samples once they are trained, and of what is left at the end."""
    job, done = session.job, session.done
    assert session.metrics is not None
    now, before = job.samples(done.step), job.samples(done.step - 1)
    for end in range((before // _ORDER_EVERY + 1) * _ORDER_EVERY, now + 1, _ORDER_EVERY):
        first = end - _ORDER_EVERY
        line = {"kind": "order", "step": done.step, "samples": [first, end], "sha256": job.plan.digest(first, end)}
        session.metrics.write(line, {})
    if done.step == job.steps and now % _ORDER_EVERY:
        first = now - now % _ORDER_EVERY
        line = {"kind": "order", "step": done.step, "samples": [first, now], "sha256": job.plan.digest(first, now)}
        session.metrics.write(line, {})
