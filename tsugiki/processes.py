"""The processes of one training on this machine: started together, told together, ended together.

Not by torchrun: it turns every exit status into 1 and Ctrl-C into tracebacks, and swallows the signals that ask a run
to save and end.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from configs.child import STARTED_BY
from configs.errors import UnfinishedError, UserError

_Processes = Sequence[subprocess.Popen[bytes]]
_BETWEEN_LOOKS_S = 0.05
_TO_NOTICE_S = 60.0
_TO_TIDY_UP_S = 15.0
_ASKS_TO_SAVE = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)


def run_together(
    command: Sequence[str], count: int, environment: Mapping[str, str], *, to_notice_s: float = _TO_NOTICE_S
) -> None:
    """Run a command in `count` processes that torch.distributed can join, until all have ended.

    Args:
        to_notice_s: how long the others may go on after one has failed; they may be about to say why.
    Raises:
        UserError: if a process fails, or is ended by somebody.
        UnfinishedError: if all were asked to stop, and have saved.
    """
    common = {**environment, **_meeting_point(count)}
    # In sessions of their own: Ctrl-C on a terminal reaches this process, which passes it on once.
    processes = [
        subprocess.Popen(command, env={**common, "RANK": str(k), "LOCAL_RANK": str(k)}, start_new_session=True)
        for k in range(count)
    ]
    try:
        with _passing_on(processes):
            _await_all(processes, to_notice_s)
    except KeyboardInterrupt:
        _send(processes, signal.SIGINT)
        _await_end(processes, _TO_TIDY_UP_S)
        raise
    finally:
        statuses = [process.poll() for process in processes]
        _send(processes, signal.SIGKILL)
        for process in processes:
            process.wait()
    _judge(statuses)


def free_port() -> int:
    """A port of this machine that nobody has.

    It is taken seconds later, when the first process has imported what it needs. One that the system would choose could
    be another connection's by then; it chooses none below 32768 (ip_local_port_range of Linux).
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _meeting_point(count: int) -> dict[str, str]:
    return {
        STARTED_BY: str(os.getpid()),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
    }


@contextmanager
def _passing_on(processes: _Processes) -> Iterator[None]:
    """Signals that ask a run to save and end go to the processes, which do."""
    before = {number: signal.signal(number, lambda number, _: _send(processes, number)) for number in _ASKS_TO_SAVE}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _await_all(processes: _Processes, to_notice_s: float) -> None:
    while any(process.poll() is None for process in processes):
        if any(process.poll() for process in processes):
            _await_end(processes, to_notice_s)
            return
        time.sleep(_BETWEEN_LOOKS_S)


def _await_end(processes: _Processes, at_most_s: float) -> None:
    ends = time.monotonic() + at_most_s
    while any(process.poll() is None for process in processes) and time.monotonic() < ends:
        time.sleep(_BETWEEN_LOOKS_S)


def _send(processes: _Processes, number: int) -> None:
    for process in processes:
        process.send_signal(number)  # without effect on one that has ended


def _judge(statuses: Sequence[int | None]) -> None:
    """Raise what the statuses mean; None is one that had to be killed because another had failed."""
    failed = [(rank, status) for rank, status in enumerate(statuses) if status]
    if {status for status in statuses if status != 0} == {UnfinishedError.exit_code}:
        raise UnfinishedError("training has stopped before its end; its message stands above")
    # Named is first one that was killed, by somebody or for want of memory: those it leaves behind fail for it. Then
    # one that has said what is wrong; other signals are how torch ends a process whose peer is gone.
    saved, killed = UnfinishedError.exit_code, -signal.SIGKILL
    for rank, status in sorted(failed, key=lambda one: (one[1] != killed, one[1] == saved, one[1] < 0)):
        if status > 0:
            raise UserError(
                f"training stopped: process {rank} ended with status {status}; its message stands above"
                f"{_silent(statuses)}"
            )
        raise UserError(
            f"training stopped: process {rank} was ended by {signal.Signals(-status).name}"
            f"{' (by somebody, or by the system where memory is used up)' if status == killed else ''}; "
            "the same command goes on from the last checkpoint"
        )


def _silent(statuses: Sequence[int | None]) -> str:
    """Those that had to be killed: where one hangs it is among them."""
    silent = [str(rank) for rank, status in enumerate(statuses) if status is None]
    return f"; process {', '.join(silent)} did not end by itself and was killed" if silent else ""
