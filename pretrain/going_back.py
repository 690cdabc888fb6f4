"""Going back when training went wrong, and leaving out what it went wrong in."""

from __future__ import annotations

import logging

from configs.errors import UserError
from pretrain import ranks
from pretrain.checkpoint.directory import complete, step_of
from pretrain.job import TrainStage
from pretrain.metrics_file import read_metrics
from pretrain.order_log import write_order
from pretrain.rollbacks import Rollback, add_rollback, next_taken, steps_before
from pretrain.session import Session

_log = logging.getLogger(__name__)


def go_back(session: Session, stage: TrainStage) -> None:
    """Write down that the run goes back from the steps it has just skipped; what follows is a new start. Collective.

    Raises:
        UserError: on all ranks, if a save that goes on fails, or the checkpoint to go back to was taken away.
    """
    done, guards = session.done, session.run.pretrain.guards
    # It may be the one to go back to.
    session.saver.wait()
    bad = done.step - done.skipped_in_a_row
    first = steps_before(done.rollbacks, bad, guards.rollback_steps, stage.first)
    ranks.done_by_first(lambda: _record(session, Rollback(first, done.step, bad)))


def _record(session: Session, new: Rollback) -> None:
    root, every = session.root, session.run.pretrain.checkpoint.every_steps
    targets = [step_of(one) for one in complete(root) if step_of(one) <= new.first]
    if not targets and new.first >= every:
        raise UserError(
            f"{root}: training went wrong at step {new.bad + 1} and there is no checkpoint of step {new.first} or "
            "before, which a rollback goes back to; put one back from a copy"
        )
    undone = [line for line in read_metrics(root) if new.first < line["step"] <= new.end]
    add_rollback(root, new, undone)
    _log.warning(
        "going back: the steps %d to %d were skipped one after the other; training goes on from %s and leaves out the "
        "steps %d to %d (samples %d to %d)",
        new.bad + 1,
        new.end,
        f"step {max(targets)}" if targets else "the beginning",
        new.first + 1,
        new.end,
        session.job.samples(new.first),
        session.job.samples(new.end) - 1,
    )


def pass_over(session: Session, stage: TrainStage) -> bool:
    """Go on to the next step that is not left out, or to the end of the stage; gives whether there were any to leave.

    Nothing changes but the number of the step: the samples and the schedule go on with it.
    """
    done, job = session.done, session.job
    before = done.step
    after = min(next_taken(done.rollbacks, before), stage.end)
    if after == before:
        return False
    done.step, done.skipped_in_a_row = after, 0
    session.progress.leave_out((after - before) * job.batch_tokens)
    if session.metrics is not None:
        for number, one in enumerate(done.rollbacks, 1):
            if before < one.end <= after:
                _show(session, number, one)
        write_order(session.metrics, job, done.rollbacks, before, after)
    return True


def _show(session: Session, number: int, one: Rollback) -> None:
    assert session.metrics is not None
    job = session.job
    line = {
        "kind": "rollback",
        "step": one.end,
        "number": number,
        **one.to_json(),
        "tokens": [one.first * job.batch_tokens, one.end * job.batch_tokens],
        "samples": [job.samples(one.first), job.samples(one.end)],
    }
    session.metrics.write(line, {"train/rollbacks": float(number)})
    told = f"steps {one.first + 1} to {one.end} left out, since {one.bad + 1} to {one.end} were skipped in a row"
    session.metrics.mark("rollback", told, one.end)
