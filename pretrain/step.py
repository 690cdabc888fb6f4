"""One optimizer step of the loop, and what is written down of it."""

from __future__ import annotations

import time

from pretrain.engines.base import Engine, Limits
from pretrain.schedule import lr_by_group
from pretrain.session import Session


def take_step(session: Session, engine: Engine) -> float:
    """Advance by one optimizer step; gives the mean loss in nats.

    Raises:
        UserError: if more steps were skipped than the run file allows.
    """
    settings, done, job = session.run.pretrain, session.done, session.job
    tokens = done.step * job.batch_tokens
    rates = lr_by_group(settings.optim, tokens, job.tokens)
    batches = job.loader.micro_batches(done.step, engine.data_rank)
    began = time.monotonic()
    sums = engine.train_step(batches, rates, Limits(settings.guards.max_grad_norm))
    done.step += 1
    done.adam_steps += not sums.skipped
    done.labelled += sums.tokens
    done.skipped += sums.skipped
    loss = sums.nll / max(sums.tokens, 1)
    if session.metrics is not None:
        line = {
            "kind": "step",
            "step": done.step,
            "tokens": done.step * job.batch_tokens,
            "loss_nats": loss,
            "labelled": sums.tokens,
            "grad_norm": sums.grad_norm,
            "lr": rates["matrices"],
            "skipped": sums.skipped,
        }
        scalars = {
            "train/loss_nats": loss,
            "train/grad_norm": sums.grad_norm,
            "train/lr": rates["matrices"],
            "train/tokens_per_s": job.batch_tokens / (time.monotonic() - began),
        }
        session.metrics.write(line, scalars)
        _write_order(session)
    session.guard.check(done.step, sums)
    return loss


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
