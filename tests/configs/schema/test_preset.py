"""Presets: shipped ones load and use what exists; a name that does not exist is told with those that do."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import ConfigError, UserError
from configs.schema.preset import PRESETS, load_preset

SHIPPED = sorted(path.stem for path in PRESETS.glob("*.yaml"))


def test_there_are_presets() -> None:
    assert "inhouse" in SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_preset_loads_and_names_the_source_of_every_threshold(name: str) -> None:
    preset = load_preset(name)
    assert preset.rules
    assert all(rule.source.strip() for rule in preset.rules)
    assert len({rule.reason for rule in preset.rules}) == len(preset.rules)


def test_a_preset_may_be_a_path(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("{description: mine, steps: [nfkc], rules: []}")
    assert load_preset(str(path)).steps == ("nfkc",)


@pytest.mark.parametrize("name", ["inhous", "none.yaml", ""])
def test_a_preset_that_does_not_exist_is_told_with_those_that_do(name: str) -> None:
    with pytest.raises(UserError) as caught:
        load_preset(name)
    known = ", ".join(SHIPPED)
    assert str(caught.value) == f"corpus.preset: no preset {name!r}; known: {known}, or the path of a YAML file"


def test_a_mistake_in_a_preset_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("description: mine\nsteps: nfkc\nrules: []\n")
    with pytest.raises(ConfigError) as caught:
        load_preset(str(path))
    assert str(caught.value).splitlines()[0] == f"{path}:2:8: steps: expected a list, got 'nfkc'"
