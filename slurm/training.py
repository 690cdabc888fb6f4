"""How far a training is, from what it writes beside its checkpoints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from configs.schema.pretrain import Pretrain

_LAST_BYTES = 65536


@dataclass(frozen=True)
class Training:
    """Of the latest step that was taken."""

    step: int
    steps: int
    """Of the whole training."""
    tokens: int
    """Trained so far."""
    tokens_per_s: float | None
    utilisation: float | None
    left_s: float | None
    """Seconds of training until the end, at the latest speed; waits and evaluations come on top."""
    stragglers: tuple[dict[str, Any], ...] = ()
    """Ranks that hold the others up again and again: `rank`, `host`, `behind` (a share), `intervals` (in a row)."""

    @classmethod
    def of(cls, checkpoints: Path, settings: Pretrain) -> Training:
        """What the files of a training say; nothing is done where there are none."""
        taken = _last(checkpoints / "metrics.jsonl", "step")
        speed = _last(checkpoints / "speed.jsonl", "speed")
        step, tokens_per_s = int(taken.get("step", 0)), speed.get("tokens_per_s")
        steps = sum(settings.steps_in(stage) for stage in settings.stages.values())
        left_tokens = (steps - step) * settings.batch_tokens
        return cls(
            step=step,
            steps=steps,
            tokens=int(taken.get("tokens", 0)),
            tokens_per_s=tokens_per_s,
            utilisation=speed.get("utilisation"),
            left_s=left_tokens / tokens_per_s if tokens_per_s else None,
            stragglers=tuple(speed.get("stragglers", ())),
        )

    def ends(self, now: datetime) -> str | None:
        """When it will be at its end if it goes on like this."""
        if self.left_s is None:
            return None
        return (now + timedelta(seconds=self.left_s)).astimezone(UTC).isoformat(timespec="seconds")


def _last(path: Path, kind: str) -> dict[str, Any]:
    """The last whole line of a kind near the end of a file."""
    for line in reversed(last_lines(path)):
        try:
            found: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:  # cut by where the reading began, or not written to its end yet
            continue
        if found["kind"] == kind:
            return found
    return {}


def last_lines(path: Path) -> list[str]:
    """The lines near the end of a file; none where there is no file."""
    if not path.exists():
        return []
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - _LAST_BYTES))
        return file.read().decode(errors="replace").splitlines()
