"""A preset: normalisation steps and rules with published thresholds, as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from configs.errors import UserError
from configs.load import load
from configs.schema.section import Section, rule

PRESETS = Path(__file__).resolve().parents[1] / "presets"


class Rule(Section):
    """A bound on one measure."""

    measure: str
    """Name of the measure."""
    min: float | None = None
    """What is below goes."""
    max: float | None = None
    """What is above goes."""
    exclusive: bool = False
    """Whether the bound itself goes too."""
    reason: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """Word under which the dropped are counted."""
    source: str
    """Where the threshold was published."""
    languages: tuple[str, ...] = ()
    """Documents of other languages pass; empty means all languages."""

    @rule("measure")
    def has_a_bound(self) -> str | None:
        return "give min or max" if self.min is None and self.max is None else None


class Excluded(Section):
    """A rule of the published table that the preset leaves out."""

    rule: str
    """The rule in one line."""
    why: str
    """What keeps it out."""


class Preset(Section):
    """Steps and rules in their order; the first rule that fails takes the blame."""

    description: str
    """For whom it is, in one sentence."""
    steps: tuple[str, ...]
    """Normalisation steps, in order."""
    rules: tuple[Rule, ...]
    """Rules, in order."""
    excluded: tuple[Excluded, ...] = ()
    """What was published and is not here."""

    def digested(self) -> dict[str, Any]:
        """What decides; what is left out does not."""
        values = super().digested()
        del values["excluded"]
        return values


def load_preset(name: str) -> Preset:
    """Read a preset by its name in configs/presets, or by the path of a YAML file.

    Raises:
        UserError: if there is no such preset; names those that exist.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else PRESETS / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(preset.stem for preset in PRESETS.glob("*.yaml")))
        raise UserError(f"corpus.preset: no preset {name!r}; known: {known}, or the path of a YAML file")
    return load(path, Preset)
