"""Tasks on a Ray cluster that is at work, of which each machine sees the same files. Needs the extra `ray`.

A task whose worker dies is done again on another; that changes no byte, for a file appears when it is whole.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from types import TracebackType
from typing import Any

from configs.errors import UserError
from corpus.shares import Runnable
from corpus.workers import Workers

_ADDRESS = "RAY_ADDRESS"
_FOR_EVER = -1


class RayWorkers(Workers):
    """The workers of the cluster that RAY_ADDRESS names, one for each of its CPUs. Used as a context.

    Raises:
        UserError: if Ray is not installed, the variable is not set, or the cluster does not answer.
    """

    def __enter__(self) -> RayWorkers:
        address = os.environ.get(_ADDRESS)
        if not address:
            raise UserError(
                f"corpus.engine is ray, and no cluster is named; set {_ADDRESS} to its HOST:PORT, or take processes"
            )
        self._ray = _ray()
        try:
            self._ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, self._ray.exceptions.RayError) as error:
            raise UserError(f"the Ray cluster at {address} does not answer: {str(error).splitlines()[0]}") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def run(self, tasks: Mapping[str, Runnable], size: int) -> Iterator[tuple[str, Any]]:
        """As of processes; a single task runs here."""
        if len(tasks) <= 1:
            for key, task in tasks.items():
                yield key, task.run()
        else:
            yield from self._on_cluster(tasks)

    def _on_cluster(self, tasks: Mapping[str, Runnable]) -> Iterator[tuple[str, Any]]:
        remote = self._ray.remote(num_cpus=1, max_retries=_FOR_EVER)(_run)
        keys = {remote.remote(task): key for key, task in tasks.items()}
        left = list(keys)
        try:
            while left:
                done, left = self._ray.wait(left, num_returns=1)
                for one in done:
                    yield keys[one], self._ray.get(one)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None  # what the task raised, as if it had run here
        finally:
            for one in left:
                self._ray.cancel(one, force=False)


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise UserError("corpus.engine: ray is not installed; pip install 'tsugiki[ray]', or take processes") from None


def _run(task: Runnable) -> Any:
    return task.run()
