"""Conversations are read as TRL takes them; what is none is named with its line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from configs.errors import UserError
from pretrain.sft_check.conversations import OURS, read


def test_ours_are_short_conversations_that_end_with_an_answer() -> None:
    found = read(OURS)
    assert len(found) == 8
    assert {messages[-1]["role"] for messages in found} == {"assistant"}
    assert any(messages[0]["role"] == "system" for messages in found)


def test_empty_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    one = [{"role": "user", "content": "はい？"}, {"role": "assistant", "content": "いいえ。"}]
    path.write_text(f"\n{json.dumps({'messages': one})}\n\n")
    assert read(path) == [one]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param("{", "chat.jsonl:2: is no JSON", id="half a line"),
        pytest.param('"messages"', "chat.jsonl:2: expected", id="another type"),
        pytest.param('{"text": "a"}', "chat.jsonl:2: expected", id="plain text"),
        pytest.param('{"messages": [{"role": "bot", "content": "a"}]}', "roles system, user", id="another role"),
        pytest.param('{"messages": [{"role": "user", "content": 1}]}', "expected", id="no text"),
        pytest.param('{"messages": []}', "last message must be the assistant's", id="nothing said"),
        pytest.param('{"messages": [{"role": "user", "content": "a"}]}', "last message must be", id="no answer"),
    ],
)
def test_a_line_that_is_no_conversation_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text(f"\n{line}\n")
    with pytest.raises(UserError, match=message):
        read(path)


def test_a_file_without_conversations_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "chat.jsonl"
    path.write_text("\n")
    with pytest.raises(UserError, match="holds no conversation"):
        read(path)
