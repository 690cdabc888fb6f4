"""Mistakes in a preset are told with their line, as those in a run file are."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs.errors import ConfigError
from configs.load import load
from configs.schema.preset import Preset


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        pytest.param(
            "{mesure: characters, min: 1, reason: r, source: s}",
            "preset.yaml:4:6: rules.0.mesure: unknown key; did you mean 'measure'?",
            id="unknown key",
        ),
        pytest.param(
            "{measure: characters, reason: r, source: s}",
            "preset.yaml:4:15: rules.0.measure: give min or max",
            id="no bound",
        ),
        pytest.param(
            "{measure: characters, min: nan, reason: r, source: s}",
            "preset.yaml:4:32: rules.0.min: expected a finite number, got 'nan'",
            id="bound that bounds nothing",
        ),
        pytest.param(
            "{measure: characters, min: 1, reason: Too short, source: s}",
            "preset.yaml:4:43: rules.0.reason: expected text of the form ^[a-z][a-z0-9_]*$, got 'Too short'",
            id="reason of two words",
        ),
    ],
)
def test_a_mistake_in_a_rule_of_a_preset_has_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rule: str, complaint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("preset.yaml").write_text(f"description: d\nsteps: []\nrules:\n  - {rule}\n")
    with pytest.raises(ConfigError) as caught:
        load(Path("preset.yaml"), Preset)
    assert complaint in str(caught.value).splitlines()
