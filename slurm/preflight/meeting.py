"""The nodes of a job meet at a store on the first of them: they tell each other what they found, and try each other."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]  # documented, not in its __all__

from configs.listen import bound_to
from slurm.preflight.report import Pair

_PAIR = timedelta(seconds=30)
_TIMES = 20
_TICKS = 5
_ROUNDS = 3


@dataclass(frozen=True)
class Place:
    """Of this node among the nodes of the job."""

    node: str
    number: int
    """From 0; the first keeps the store."""
    size: int
    address: str
    port: int

    @classmethod
    def from_environment(cls) -> Place:
        """As srun and the script say; alone where they say nothing."""
        given = os.environ
        return cls(
            node=given.get("SLURMD_NODENAME") or os.uname().nodename,
            number=int(given.get("SLURM_PROCID", "0")),
            size=int(given.get("SLURM_NTASKS", "1")),
            address=given.get("MASTER_ADDR", "127.0.0.1"),
            port=int(given.get("MASTER_PORT", "0")),
        )


class Meeting:
    """Every node calls the same methods in the same order.

    Args:
        wait_s: seconds in which the others must have come, and in which each must have answered.
    Raises:
        RuntimeError: if the first node cannot be reached.
    """

    def __init__(self, place: Place, wait_s: float) -> None:
        self._place, self._wait = place, timedelta(seconds=wait_s)
        self.present = [place.number]
        first = place.number == 0
        bound = bound_to(place.address, place.port) if first else None
        self._store = TCPStore(
            place.address,
            place.port,
            None,
            first,
            timeout=self._wait,
            wait_for_workers=False,
            master_listen_fd=bound.detach() if bound is not None else None,
        )

    def all_say(self, topic: str, value: Any) -> dict[int, Any]:
        """What each node says about something, by number; one that does not answer in time is left out from then on.

        Raises:
            RuntimeError: if this node was left out, or the first one does not answer.
        """
        place, store = self._place, self._store
        store.set(f"{topic}/{place.number}", json.dumps(value))
        if place.number == 0:
            expected = range(place.size) if topic == "here" else self.present
            deadline = time.monotonic() + self._wait.total_seconds()
            keys = {number: f"{topic}/{number}" for number in expected}
            while not store.check(list(keys.values())) and time.monotonic() < deadline:
                time.sleep(0.02)
            said = {number: json.loads(store.get(key)) for number, key in keys.items() if store.check([key])}
            store.set(f"{topic}/all", json.dumps(said))
        else:
            # The first waits as long for the others, who may have begun later.
            store.wait([f"{topic}/all"], self._wait * 2)
            said = {int(number): one for number, one in json.loads(store.get(f"{topic}/all")).items()}
        if place.number not in said:
            raise RuntimeError("this node answered too late")
        self.present = sorted(said)
        return said

    def clock_s(self) -> float:
        """Seconds by which this node's clock is before the first one's, and the way of a message, at most."""
        least = float("inf")
        for tick in range(_TICKS):
            self.all_say(f"tick {tick}", None)
            key = f"tick {tick}/time"
            if self._place.number == 0:
                self._store.set(key, repr(time.time()))
            self._store.wait([key], self._wait)
            now = time.time()
            least = min(least, now - float(self._store.get(key)))  # a message takes some time, never less than none
        return 0.0 if self._place.number == 0 else least

    def pairs(self, nodes: Sequence[str]) -> list[Pair]:
        """All-reduces of two nodes each, at the same time; gives those that this node is the first of.

        Args:
            nodes: names by number.
        """
        found = []
        for turn, pairs in enumerate(turns(self.present)):
            for pair in pairs:
                if self._place.number in pair:
                    speed, error = self._all_reduce(f"pair {turn} {pair}", pair.index(self._place.number))
                    if pair[0] == self._place.number:
                        found.append(Pair((nodes[pair[0]], nodes[pair[1]]), speed, error))
            self.all_say(f"turn {turn}", None)
        return found

    def _all_reduce(self, name: str, rank: int) -> tuple[float | None, str | None]:
        """In 10⁹ bytes of the tensor per second; or what went wrong."""
        on_gpu = torch.cuda.is_available()
        device = torch.device("cuda", 0) if on_gpu else torch.device("cpu")
        tensor = torch.ones((1 << 24) if on_gpu else (1 << 20), device=device)
        try:
            dist.init_process_group(
                "nccl" if on_gpu else "gloo",
                store=PrefixStore(name, self._store),
                rank=rank,
                world_size=2,
                timeout=_PAIR,
            )
            dist.all_reduce(tensor)
            wrong = None if bool((tensor == 2).all()) else "the sum is wrong"
            began = time.monotonic()
            for _ in range(_TIMES):
                dist.all_reduce(tensor)
            if on_gpu:
                torch.cuda.synchronize()
            speed = _TIMES * tensor.nbytes / (time.monotonic() - began) / 1e9
            return (speed, None) if wrong is None else (None, wrong)
        except (RuntimeError, OSError) as error:  # whatever a network does
            return None, str(error).splitlines()[0][:200]
        finally:
            if dist.is_initialized():
                dist.destroy_process_group()


def turns(numbers: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Who tries whom: in each turn everybody somebody else, but one where they are odd; at most three turns.

    A slow node is slow in all its pairs, and its partners only in the one with it.

    >>> turns([0, 1, 2, 3])
    [[(0, 3), (1, 2)], [(0, 2), (1, 3)], [(0, 1), (2, 3)]]
    """
    circle: list[int | None] = [*numbers, *([None] if len(numbers) % 2 else [])]
    found = []
    for _ in range(min(_ROUNDS, len(circle) - 1)):
        half = len(circle) // 2
        pairs = zip(circle[:half], reversed(circle[half:]), strict=True)
        found.append(sorted((min(a, b), max(a, b)) for a, b in pairs if a is not None and b is not None))
        circle = [circle[0], circle[-1], *circle[1:-1]]
    return found
