"""Which checkpoints stay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.schema.guards import Guards
from configs.schema.pretrain import Checkpoint
from configs.schema.run import Run
from pretrain.checkpoint.directory import complete, incomplete, remove, step_of
from pretrain.measured import by_language, measured_in
from pretrain.metrics_file import METRICS
from pretrain.rollbacks import Rollback, steps_before


def kept(
    steps: Sequence[int], settings: Checkpoint, scores: Mapping[int, float], back_to: int | None = None
) -> set[int]:
    """Steps of the checkpoints that stay: the newest, the milestones, the best measured ones, and those to go back to.

    Args:
        scores: bits per character by step, less is better; of equals the earlier is the better. A checkpoint
            without one is never among the best.
        back_to: a rollback may need a checkpoint after so many steps or fewer; none if there is no rollback.

    >>> sorted(kept([2, 4, 6, 8], Checkpoint(keep_last=1, keep_best=1), {2: 1.5, 4: 1.25, 6: 1.75}))
    [4, 8]
    """
    every = settings.keep_every_steps
    milestones = {step for step in steps if every is not None and step % every == 0}
    best = sorted((scores[step], step) for step in steps if step in scores)[: settings.keep_best]
    stay = {*sorted(steps)[-settings.keep_last :], *milestones, *(step for _, step in best)}
    return stay if back_to is None else stay | _to_go_back_to(steps, back_to)


def _to_go_back_to(steps: Sequence[int], back_to: int) -> set[int]:
    """The newest that is old enough now, and the one that will be next, or the former would have to stay for ever."""
    return {*sorted(step for step in steps if step <= back_to)[-1:], *sorted(s for s in steps if s > back_to)[:1]}


def furthest_back(newest: int, guards: Guards, rollbacks: Sequence[Rollback]) -> int | None:
    """Where a rollback goes to that follows right behind a checkpoint after `newest` steps; later ones go less far.

    None if the run makes no rollbacks.

    >>> furthest_back(1000, Guards(rollback_after=5, rollback_steps=100), [])
    896
    """
    if guards.rollback_after is None:
        return None
    return steps_before(rollbacks, max(0, newest + 1 - guards.rollback_after), guards.rollback_steps)


@dataclass(frozen=True)
class Retention:
    """Removes what a run no longer keeps."""

    root: Path
    settings: Checkpoint
    language_of: Mapping[str, str]
    """Of each source."""
    guards: Guards
    rollbacks: Sequence[Rollback]
    """Those that the run has made."""

    @classmethod
    def of(cls, run: Run, root: Path, rollbacks: Sequence[Rollback]) -> Retention:
        """As the run file wants it."""
        languages = {name: source.language for name, source in run.corpus.sources.items()}
        return cls(root, run.pretrain.checkpoint, languages, run.pretrain.guards, rollbacks)

    def prune(self) -> None:
        """Remove all that does not stay; never the newest complete one, nor one that a program reads."""
        found = complete(self.root)
        if not found:
            return
        scores = self.scores() if self.settings.keep_best else {}
        newest = step_of(found[-1])
        back_to = furthest_back(newest, self.guards, self.rollbacks)
        stay = kept([step_of(path) for path in found], self.settings, scores, back_to)
        for checkpoint in found:
            if step_of(checkpoint) not in stay:
                remove(checkpoint)
        for rest in incomplete(self.root):
            if step_of(rest) <= newest:
                remove(rest)

    def scores(self) -> dict[int, float]:
        """Bits per character of the trained model by step, by the measure that `keep_best_by` names."""
        path = self.root / METRICS
        if not path.exists():
            return {}
        scores = {}
        with open(path, encoding="utf-8") as lines:
            for text in lines:
                # Most lines are steps, and there may be a million.
                if '"evaluation"' not in text or not text.endswith("\n"):
                    continue
                line = json.loads(text)
                score = self._score(line) if line["model"] == "trained" else None
                if score is not None:
                    scores[int(line["step"])] = score
        return scores

    def _score(self, line: Mapping[str, Any]) -> float | None:
        measured = measured_in(line)
        languages = by_language(measured, self.language_of)
        if self.settings.keep_best_by == "mean":
            values = [one.bits_per_character for one in languages.values()]
            return sum(values) / len(values) if values else None
        one = measured.get(self.settings.keep_best_by) or languages.get(self.settings.keep_best_by)
        return one.bits_per_character if one is not None else None
