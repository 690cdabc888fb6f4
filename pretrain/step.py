"""One optimizer step of the loop, and what is written down of it."""

from __future__ import annotations

import time
from typing import Any

from pretrain.engines.base import Engine
from pretrain.job import TrainStage
from pretrain.order_log import write_order
from pretrain.prefetch import Prefetch
from pretrain.rollbacks import next_taken
from pretrain.schedule import lr_by_group, share_in_stage
from pretrain.session import Session


def take_step(session: Session, engine: Engine, stage: TrainStage, batches_of: Prefetch) -> float:
    """Advance by one optimizer step; gives the mean loss in nats.

    Raises:
        UserError: if more steps were skipped, or more rollbacks are needed, than the run file allows.
        GoBackError: if skipping does not mend what is wrong.
    """
    settings, done, job = session.run.pretrain, session.done, session.job
    seen, begins, ends = (steps * job.batch_tokens for steps in (done.step, stage.first, stage.end))
    of_stage = settings.stages[stage.name]
    rates = lr_by_group(settings.optim, share_in_stage(settings.optim, of_stage, begins, ends, seen, job.tokens))
    began = time.monotonic()
    batches = batches_of.take(done.step)
    waited_s = time.monotonic() - began
    limits = session.guard.limits(new_stage=done.step == next_taken(done.rollbacks, stage.first))
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
        write_order(session.metrics, job, done.rollbacks, done.step - 1, done.step)
    session.guard.check(done.step, sums, limits)
    return loss


def tell_speed(session: Session, engine: Engine, stage: TrainStage, loss: float) -> None:
    """Write down how fast the steps since the last time were, and say how far the run is. Collective."""
    done, job = session.done, session.job
    speed = session.speedometer.read(engine, stage)
    if session.metrics is None:
        return
    stragglers = session.speedometer.stragglers.after(speed.behind)
    line = speed.to_json(done.step, session.speedometer.hosts, session.attention, stragglers)
    session.metrics.write_speed(line, speed.scalars())
    session.progress.tell(f"{stage.name}  step {done.step}/{job.steps}  loss {loss:.3f}  {speed.told()}")
    session.speedometer.stragglers.warn(stragglers)
