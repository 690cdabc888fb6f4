"""Corpus builds that end themselves with SIGKILL: `python killed_builds.py RUN.json`, a moment and a run each.

One process imports everything and then forks for every build, because importing takes longer than building.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import corpus.build
import corpus.dedup.phases
from configs.artifact import Builder, Claim, Done
from configs.schema.run import Run
from corpus.batch import utf8_of
from corpus.dedup.bands import hash_bands
from corpus.kernels.classes import count_classes
from corpus.kernels.lines import hash_lines, repeated_line_share
from corpus.kernels.shingles import signatures
from corpus.tasks import run_phase


def die(moment: str) -> None:
    """Make the build end at a moment: "after PHASE", "before marker N", "after marker N" or "before manifest"."""
    kind, _, which = moment.partition(" ")
    done, finish, patch = Claim.done, Builder.finish, pytest.MonkeyPatch()
    markers = 0

    def phase_and_die(builder: Builder, phase: str, *arguments: Any, **more: Any) -> dict[str, Any]:
        results = run_phase(builder, phase, *arguments, **more)
        if moment == f"after {phase}":
            os.kill(os.getpid(), signal.SIGKILL)
        return results

    def done_and_die(claim: Claim, result: Any = None) -> Done:
        nonlocal markers
        markers += 1
        if which == f"marker {markers}" and kind == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        marked = done(claim, result)
        if which == f"marker {markers}" and kind == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return marked

    def finish_or_die(builder: Builder, counts: Any) -> Any:
        if moment == "before manifest":
            os.kill(os.getpid(), signal.SIGKILL)
        return finish(builder, counts)

    patch.setattr(corpus.build, "run_phase", phase_and_die)
    patch.setattr(corpus.dedup.phases, "run_phase", phase_and_die)
    patch.setattr(Claim, "done", done_and_die)
    patch.setattr(Builder, "finish", finish_or_die)


def main(runs: dict[str, Any]) -> None:
    """Build every run in a process of its own, and say how each one ended."""
    # Loading the kernels takes longer than running them, and starts no thread that a fork would lose.
    column = utf8_of(pa.array(["点検を行う。"], pa.large_string()))
    repeated_line_share(*hash_lines(*column)), count_classes(*column), hash_bands(signatures(*column, 4), 2, 2)
    ended = {}
    for moment, settings in runs.items():
        child = os.fork()
        if child == 0:
            die(moment)
            corpus.build.build_corpus(Run.model_validate(settings))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        ended[moment] = os.waitstatus_to_exitcode(status)
    sys.stdout.write(json.dumps(ended))


if __name__ == "__main__":
    main(json.loads(Path(sys.argv[1]).read_text()))
