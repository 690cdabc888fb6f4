"""Which checkpoints stay."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.schema.pretrain import Checkpoint
from configs.schema.run import Run
from pretrain.checkpoint.directory import complete, incomplete, remove, step_of
from pretrain.measured import by_language, measured_in
from pretrain.metrics_file import METRICS


def kept(steps: Sequence[int], settings: Checkpoint, scores: Mapping[int, float]) -> set[int]:
    """Steps of the checkpoints that stay: the newest, the milestones, the best measured ones.

    Args:
        scores: bits per character by step, less is better; of equals the earlier is the better. A checkpoint
            without one is never among the best.

    >>> sorted(kept([2, 4, 6, 8], Checkpoint(keep_last=1, keep_best=1), {2: 1.5, 4: 1.25, 6: 1.75}))
    [4, 8]
    """
    every = settings.keep_every_steps
    milestones = {step for step in steps if every is not None and step % every == 0}
    best = sorted((scores[step], step) for step in steps if step in scores)[: settings.keep_best]
    return {*sorted(steps)[-settings.keep_last :], *milestones, *(step for _, step in best)}


@dataclass(frozen=True)
class Retention:
    """Removes what a run no longer keeps."""

    root: Path
    settings: Checkpoint
    language_of: Mapping[str, str]
    """Of each source."""

    @classmethod
    def of(cls, run: Run, root: Path) -> Retention:
        """As the run file wants it."""
        languages = {name: source.language for name, source in run.corpus.sources.items()}
        return cls(root, run.pretrain.checkpoint, languages)

    def prune(self) -> None:
        """Remove all that does not stay; never the newest complete one, nor one that a program reads."""
        found = complete(self.root)
        if not found:
            return
        scores = self.scores() if self.settings.keep_best else {}
        stay = kept([step_of(path) for path in found], self.settings, scores)
        for checkpoint in found:
            if step_of(checkpoint) not in stay:
                remove(checkpoint)
        newest = step_of(found[-1])
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
