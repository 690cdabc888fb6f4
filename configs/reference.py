"""The run file's reference, from the schema's own descriptions: `python -m configs.reference > docs/run-file.md`."""

from __future__ import annotations

import sys
import typing
from collections.abc import Iterator
from typing import Any, Literal

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from configs.load import without_none
from configs.schema.run import Run
from configs.schema.section import Section, is_operational

_HEAD = """\
# The run file

One YAML file describes a run. Every key is checked before anything starts; a value keeps its line, so that a message
names it. Relative paths start at the working directory. Keys marked (how) say how the work is done and never what
comes out: they may change on an existing run. This page is made by `python -m configs.reference`.
"""


def reference() -> str:
    """The page."""
    return "\n".join([_HEAD, *_sections(Run, "")])


def _sections(schema: type[Section], path: str) -> Iterator[str]:
    below: list[tuple[str, type[Section]]] = []
    if path:
        yield f"## `{path}`\n"
        yield f"{(schema.__doc__ or '').splitlines()[0]}\n"
        yield "| key | value | default | |"
        yield "|---|---|---|---|"
    for name, info in schema.model_fields.items():
        key = f"{path}.{name}" if path else name
        inner, step = _inner(info)
        if inner is not None:
            below.append((f"{key}{step}", inner))
        if path:
            yield f"| `{name}` | {_kind(info, inner)} | {_default(info, inner)} | {_description(info)} |"
    if path:
        yield ""
    for key, inner in below:
        yield from _sections(inner, key)


def _inner(info: FieldInfo) -> tuple[type[Section] | None, str]:
    """The section a key holds, directly or by name."""
    annotation = without_none(info.annotation)
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, ""
    if typing.get_origin(annotation) is dict:
        value = typing.get_args(annotation)[1]
        if isinstance(value, type) and issubclass(value, Section):
            return value, ".NAME"
    return None, ""


_WORDS = {int: "integer", float: "number", str: "text", bool: "true or false"}


def _kind(info: FieldInfo, inner: type[Section] | None) -> str:
    annotation = without_none(info.annotation)
    if inner is not None:
        return "section" if not typing.get_origin(annotation) else "sections by name"
    return _type_words(annotation)


def _type_words(annotation: Any) -> str:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{option}`" for option in arguments)
    if origin is tuple:
        return f"list of {_type_words(arguments[0])}"
    if origin is dict:
        return f"{_type_words(arguments[1])} by name"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation)).lower())


def _default(info: FieldInfo, inner: type[Section] | None) -> str:
    if info.default is PydanticUndefined:
        return "required"
    if inner is not None:
        return ""
    if info.default is None:
        return "none"
    default = list(info.default) if isinstance(info.default, tuple) else info.default
    return f"`{default}`" if default != "" else "empty"


def _description(info: FieldInfo) -> str:
    words = " ".join((info.description or "").split()).replace("|", "\\|")
    return f"{words} (how)" if is_operational(info) else words


if __name__ == "__main__":
    sys.stdout.write(reference())
