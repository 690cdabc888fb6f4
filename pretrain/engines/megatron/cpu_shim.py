"""megatron-core on a machine without a GPU, so that its parallel paths can be tested: "cuda" means "cpu" inside.

megatron-core says device="cuda" and asks torch.cuda for the current device in many places, and compares dtype
strings such as torch.cuda.FloatTensor. All of that is answered here for as long as a scope is open. Where there is
a GPU, the scope is empty.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_CPU = torch.device("cpu")


def device_scope() -> AbstractContextManager[None]:
    """Everything that runs megatron-core runs inside this."""
    return nullcontext() if torch.cuda.is_available() else _cuda_means_cpu()


def is_active() -> bool:
    """Whether "cuda" means "cpu" right now."""
    current: object = torch.cuda.current_device
    return current is _current_device


def _current_device() -> torch.device:
    return _CPU


def _nothing() -> Callable[..., None]:
    """A new function that does nothing: torch's compiler wants one for each name."""

    def nothing(*_: Any, **__: Any) -> None:
        return None

    return nothing


def _get_random_state(*_: Any, **__: Any) -> torch.Tensor:
    return torch.get_rng_state()


def _set_random_state(state: torch.Tensor, *_: Any, **__: Any) -> None:
    torch.set_rng_state(state)


_ANSWERS: dict[tuple[str, str], Any] = {
    ("torch.cuda", "current_device"): _current_device,
    ("torch.cuda", "synchronize"): _nothing(),
    ("torch.cuda", "current_stream"): _nothing(),
    ("torch.cuda", "manual_seed"): _nothing(),
    ("torch.cuda", "get_rng_state"): _get_random_state,
    # Layers that are computed again begin with the random state they began with at first.
    ("megatron.core.tensor_parallel.random", "_get_cuda_rng_state"): _get_random_state,
    ("megatron.core.tensor_parallel.random", "_set_cuda_rng_state"): _set_random_state,
}
"""By module and name; megatron-core's own only once somebody has imported it."""


@contextmanager
def _cuda_means_cpu() -> Iterator[None]:
    if is_active():
        yield
        return
    answered = [
        (sys.modules[module], name, answer) for (module, name), answer in _ANSWERS.items() if module in sys.modules
    ]
    real = [(module, name, getattr(module, name)) for module, name, _ in answered]
    for module, name, answer in answered:
        setattr(module, name, answer)
    try:
        with _Rewrite():
            yield
    finally:
        for module, name, function in real:
            setattr(module, name, function)


class _Rewrite(TorchFunctionMode):
    """Rewrites device arguments of torch functions, and the name of a tensor's type."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        keywords = dict(kwargs or {})
        if func is torch.Tensor.cuda:
            return args[0]
        if _is_cuda(keywords.get("device")):
            keywords["device"] = _CPU
        if func is torch.Tensor.to:
            args = tuple(_CPU if _is_cuda(argument) else argument for argument in args)
        answer = func(*args, **keywords)
        if func is torch.Tensor.type and isinstance(answer, str):
            return answer.replace("torch.", "torch.cuda.", 1)
        return answer


def _is_cuda(device: Any) -> bool:
    if isinstance(device, torch.device):
        return device.type == "cuda"
    return isinstance(device, str) and device.startswith("cuda")
