"""The rollbacks of a run: stretches of optimizer steps that it leaves out, because training went wrong in them.

When steps are skipped one after the other, skipping does not mend what is wrong: the weights went bad before, or the
samples do. The run then goes back to its state from before and passes over the samples around the trouble, as PaLM did
by hand (arXiv:2204.02311, section 5.1). Step and sample keep going together: a step that is left out takes its samples
with it, and its share of the schedule. So the order of samples stays a pure function, and all that a run has to
remember is this list. Light, without torch: reports and traces ask, too.

rollbacks.jsonl     one line per rollback, with what was measured of the steps that it has undone
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.atomic_file import atomic_file
from pretrain.metrics_file import read_lines, to_line

ROLLBACKS = "rollbacks.jsonl"


@dataclass(frozen=True)
class Rollback:
    """Optimizer steps [first, end), counted from 0, that are left out."""

    first: int
    end: int
    bad: int
    """From here to the end every step was skipped."""

    def to_json(self) -> dict[str, Any]:
        """Steps counted from 1, the last one included, as in metrics.jsonl."""
        return {"steps": [self.first + 1, self.end], "skipped_from": self.bad + 1}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Rollback:
        """Back from it."""
        first, end = data["steps"]
        return cls(int(first) - 1, int(end), int(data["skipped_from"]) - 1)


def known_to(config: Mapping[str, Any]) -> list[Rollback]:
    """The rollbacks of which a checkpoint knew, by the config in its manifest."""
    return [Rollback.from_json(one) for one in config.get("rollbacks", [])]


def next_taken(rollbacks: Sequence[Rollback], step: int) -> int:
    """The first step from `step` on that is not left out.

    >>> next_taken([Rollback(4, 8, 6), Rollback(7, 9, 8)], 5)
    9
    """
    while (later := max((one.end for one in rollbacks if one.first <= step < one.end), default=step)) > step:
        step = later
    return step


def steps_before(rollbacks: Sequence[Rollback], step: int, count: int, floor: int = 0) -> int:
    """Where to begin, so that `count` steps which are not left out come before `step`; never before `floor`.

    >>> steps_before([Rollback(4, 8, 6)], 10, 3)
    3
    """
    while count > 0 and step > floor:
        step -= 1
        count -= next_taken(rollbacks, step) == step
    return step


def samples_left_out(
    rollbacks: Sequence[Rollback], first_sample: Callable[[int], int], first: int, end: int
) -> list[tuple[int, int]]:
    """Of the samples [first, end) those of steps that are left out, as ranges in order that do not touch.

    Args:
        first_sample: of a step.
    """
    ranges: list[tuple[int, int]] = []
    for one in sorted(rollbacks, key=lambda one: one.first):
        here, there = max(first_sample(one.first), first), min(first_sample(one.end), end)
        if here >= there:
            continue
        if ranges and here <= ranges[-1][1]:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], there))
        else:
            ranges.append((here, there))
    return ranges


def is_undone(rollbacks: Sequence[Rollback], step: int, known: Sequence[Rollback]) -> bool:
    """Whether a state after `step` steps has learned from steps that were undone.

    Args:
        known: the rollbacks of which whoever made the state knew.
    """
    return any(one.first < step and one not in known for one in rollbacks)


def read_rollbacks(root: Path) -> list[Rollback]:
    """Of a run; none before it had any."""
    return [Rollback.from_json(line) for line in read_lines(root / ROLLBACKS)]


def read_undone(root: Path) -> list[dict[str, Any]]:
    """What was measured of the steps that were undone: lines as in metrics.jsonl, rollback after rollback."""
    return [measured for line in read_lines(root / ROLLBACKS) for measured in line["undone"]]


def restore_rollbacks(root: Path, known: Sequence[Rollback]) -> list[Rollback]:
    """Those that are written down, and those that a checkpoint knows of although the file was lost, written again."""
    rollbacks = read_rollbacks(root)
    for lost in (one for one in known if one not in rollbacks):
        add_rollback(root, lost, [])
    return [*rollbacks, *(one for one in known if one not in rollbacks)]


def add_rollback(root: Path, new: Rollback, undone: Sequence[Mapping[str, Any]]) -> None:
    """Write one down behind the others, whole or not at all: from here on the run has gone back.

    Args:
        undone: what was measured of its steps.
    """
    lines = [*read_lines(root / ROLLBACKS), {**new.to_json(), "undone": list(undone)}]
    with atomic_file(root / ROLLBACKS) as out:
        out.write("".join(map(to_line, lines)).encode())
