"""What a stage would do, known without doing it: the same words serve `plan` and the stage itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from configs.artifact import MANIFEST, Artifact, Builder, Input, build, check
from configs.errors import UserError
from configs.raw_input import RawFile, total_bytes

State = Literal["complete", "begun", "to do"]


@dataclass(frozen=True)
class StagePlan:
    """One directory in the making: from which inputs, by which config."""

    name: str
    dir: Path
    kind: str
    version: int
    config: Mapping[str, Any]
    upstream: Mapping[str, Path] = field(default_factory=dict)
    """Directories of earlier stages, by the name the stage knows them by."""
    raw: Mapping[str, tuple[RawFile, ...] | str] = field(default_factory=dict)
    """Files that no stage made, or the word that identifies them."""

    @property
    def state(self) -> State:
        """Whether there is anything left to do; says nothing about changed inputs."""
        if (self.dir / MANIFEST).exists():
            return "complete"
        return "begun" if self.dir.exists() else "to do"

    @property
    def input_bytes(self) -> int:
        """Bytes of the raw inputs, and of the earlier stages that are complete."""
        raw = sum(total_bytes(files) for files in self.raw.values() if isinstance(files, tuple))
        finished = [Artifact.open(path) for path in self.upstream.values() if (path / MANIFEST).exists()]
        return raw + sum(int(record["bytes"]) for artifact in finished for record in artifact.files.values())

    def build(self) -> Builder:
        """Begin, go on, or find the directory complete.

        Raises:
            UserError: if an earlier stage is not finished, or the directory is another run file's work.
        """
        return build(self.dir, kind=self.kind, version=self.version, config=self.config, inputs=self._inputs())

    def check(self) -> None:
        """Raise a UserError if the directory is the work of another run file; touches nothing."""
        if all((path / MANIFEST).exists() for path in self.upstream.values()):
            check(self.dir, kind=self.kind, version=self.version, config=self.config, inputs=self._inputs())

    def _inputs(self) -> dict[str, Input]:
        return {**self.raw, **{name: Artifact.open(path) for name, path in self.upstream.items()}}


def refuse_unfinished(plan: StagePlan) -> Artifact:
    """Open the stage's directory for reading.

    Raises:
        UserError: if it is not complete; names the command that completes it.
    """
    if plan.state != "complete":
        raise UserError(f"{plan.dir}: not finished; run `tsugiki run` or the stage {plan.name!r} first")
    return Artifact.open(plan.dir, kind=plan.kind)
