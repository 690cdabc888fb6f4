"""Conversations to fine-tune on, as the JSON lines that TRL takes: {"messages": [{"role": …, "content": …}, …]}."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import configs
from configs.errors import UserError

OURS = Path(configs.__file__).parent / "sft" / "conversations.jsonl"
"""Eight short ones in Japanese, English and code, for those who have none at hand."""

_ROLES = ("system", "user", "assistant", "tool")

Message = dict[str, str]


def read(path: Path) -> list[list[Message]]:
    """The conversations of a file.

    Raises:
        UserError: with the line, if one is no conversation, or none ends with an answer to learn.
    """
    found = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                found.append(_conversation(line, f"{path}:{number}"))
    if not found:
        raise UserError(f'{path}: holds no conversation; one a line is expected: {{"messages": [...]}}')
    return found


def _conversation(line: str, where: str) -> list[Message]:
    try:
        value: Any = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where}: is no JSON: {error}") from error
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or not all(_is_message(one) for one in messages):
        raise UserError(
            f'{where}: expected {{"messages": [{{"role": "user", "content": "…"}}, …]}} with roles {", ".join(_ROLES)}'
        )
    if not messages or messages[-1]["role"] != "assistant":
        raise UserError(f"{where}: the last message must be the assistant's, which is what is learned")
    return messages


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and value.get("role") in _ROLES and isinstance(value.get("content"), str)
