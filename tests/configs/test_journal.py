"""The journal: a line per event, for people; nothing digests it."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from configs.journal import JOURNAL, note


def test_every_event_adds_a_line_with_time_place_and_libraries(tmp_path: Path) -> None:
    note(tmp_path, "started")
    note(tmp_path, "saved", step=5, path="議事録")
    text = (tmp_path / JOURNAL).read_text(encoding="utf-8")
    first, second = (json.loads(line) for line in text.splitlines())
    assert (first["event"], second["event"], second["step"], second["path"]) == ("started", "saved", 5, "議事録")
    assert "議事録" in text
    assert first["pid"] == os.getpid()
    assert first["libraries"]["pyarrow"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(first["time"])).total_seconds()) < 60
