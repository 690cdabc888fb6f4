"""A preset: normalisation steps and rules with published thresholds, as data."""

from __future__ import annotations

from collections.abc import Mapping
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


class RuleChange(Section):
    """Another bound for the rules of one reason."""

    min: float | None = None
    """In place of theirs, where they have one."""
    max: float | None = None
    """In place of theirs, where they have one."""
    off: bool = False
    """Whether they are left out."""


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


def load_preset(name: str, changes: Mapping[str, RuleChange] | None = None) -> Preset:
    """Read a preset by its name in configs/presets, or by the path of a YAML file.

    Args:
        changes: by reason, what the run file has in place of the preset's bounds.
    Raises:
        UserError: if there is no such preset, or no rule that a change speaks of; names those that exist.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else PRESETS / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(preset.stem for preset in PRESETS.glob("*.yaml")))
        raise UserError(f"corpus.preset: no preset {name!r}; known: {known}, or the path of a YAML file")
    preset = load(path, Preset)
    changed = preset.rules
    for reason, change in (changes or {}).items():
        changed = tuple(one for rule in changed for one in _changed(rule, reason, change))
        _refuse_idle(preset, reason, change)
    return preset.model_copy(update={"rules": changed})


def _changed(rule: Rule, reason: str, change: RuleChange) -> tuple[Rule, ...]:
    if rule.reason != reason:
        return (rule,)
    bounds = {side: getattr(change, side) for side in ("min", "max") if getattr(rule, side) is not None}
    bounds = {side: bound for side, bound in bounds.items() if bound is not None}
    return () if change.off else (rule.model_copy(update=bounds),)


def _refuse_idle(preset: Preset, reason: str, change: RuleChange) -> None:
    rules = [rule for rule in preset.rules if rule.reason == reason]
    if not rules:
        known = ", ".join(dict.fromkeys(rule.reason for rule in preset.rules))
        raise UserError(f"corpus.rules: the preset drops nothing as {reason!r}; there are {known}")
    for side in ("min", "max"):
        if getattr(change, side) is not None and all(getattr(rule, side) is None for rule in rules):
            raise UserError(f"corpus.rules.{reason}.{side}: the preset's rule has no {side}")
