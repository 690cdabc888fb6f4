"""Tasks on a Ray cluster that is at work, of which each machine sees the same files. Needs the extra `ray`.

A task whose worker dies is done again on another; that changes no byte, for a file appears when it is whole.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from configs.artifact import Pool, Runnable
from configs.errors import UserError

_ADDRESS = "RAY_ADDRESS"
_FOR_EVER = -1


@contextmanager
def ray_pool() -> Iterator[Pool]:
    """The cluster that RAY_ADDRESS names; one task runs on each of its CPUs.

    Raises:
        UserError: if Ray is not installed, the variable is not set, or the cluster does not answer.
    """
    address = os.environ.get(_ADDRESS)
    if not address:
        raise UserError(
            f"corpus.engine is ray, and no cluster is named; set {_ADDRESS} to its HOST:PORT, or take processes"
        )
    ray = _ray()
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ray.exceptions.RayError) as error:
        raise UserError(f"the Ray cluster at {address} does not answer: {str(error).splitlines()[0]}") from error
    try:
        yield partial(_on, ray)
    finally:
        ray.shutdown()


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise UserError("corpus.engine: ray is not installed; pip install 'tsugiki[ray]', or take processes") from None


def _on(ray: Any, tasks: Mapping[str, Runnable]) -> Iterator[tuple[str, Any]]:
    remote = ray.remote(num_cpus=1, max_retries=_FOR_EVER)(_run)
    keys = {remote.remote(task): key for key, task in tasks.items()}
    left = list(keys)
    try:
        while left:
            done, left = ray.wait(left, num_returns=1)
            for one in done:
                yield keys[one], ray.get(one)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None  # what the task raised, as if it had run here
    finally:
        for one in left:
            ray.cancel(one, force=False)


def _run(task: Runnable) -> Any:
    return task.run()
