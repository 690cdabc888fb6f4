"""From a YAML file and `--set` options to a checked section, every complaint with its line."""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from configs.errors import ConfigError, Problem
from configs.places import KeyPath, PlacedValues, dotted, override, parse_yaml, read_yaml
from configs.schema.section import RULE_ERROR, Section

SectionT = TypeVar("SectionT", bound=Section)


def load(path: Path, schema: type[SectionT], overrides: Sequence[str] = ()) -> SectionT:
    """Read `path` as `schema`.

    Args:
        overrides: assignments such as `pretrain.optim.lr=2e-5`, checked like the file itself.
    Raises:
        UserError: if the file cannot be read.
        ConfigError: with all problems at once.
    """
    return validate(read_placed(path, overrides), schema)


def read_placed(path: Path, overrides: Sequence[str]) -> PlacedValues:
    """The values of a file with the overrides applied, not yet checked."""
    return _overridden(read_yaml(path), overrides)


def assigned(assignments: Sequence[str], schema: type[SectionT]) -> SectionT:
    """The section that assignments alone describe, for a command without a run file.

    Raises:
        ConfigError: with all problems at once.
    """
    return validate(_overridden(parse_yaml("{}", "--set"), assignments), schema)


def _overridden(placed: PlacedValues, overrides: Sequence[str]) -> PlacedValues:
    for assignment in overrides:
        override(placed, assignment)
    return placed


def validate(placed: PlacedValues, schema: type[SectionT]) -> SectionT:
    """The section that `placed` describes, or every problem in it."""
    problems = list(placed.problems)
    try:
        section = schema.model_validate(placed.values)
    except ValidationError as error:
        for details in error.errors():
            problems.extend(_problems_of(details, placed, schema))
    else:
        if not problems:
            return section
    raise ConfigError(_once_per_key(problems))


def _problems_of(details: ErrorDetails, placed: PlacedValues, schema: type[BaseModel]) -> list[Problem]:
    path = _known_part(details["loc"], placed.values)
    kind = details["type"]
    if kind == RULE_ERROR:
        broken: list[tuple[str, str]] = details["ctx"]["problems"]
        return [_problem(placed, (*path, *key.split(".")), message) for key, message in broken]
    if kind == "missing":
        missing = (*path, details["loc"][-1])
        return [Problem(placed.place_of(path, of_key=True), dotted(missing), "required, but not given")]
    if kind == "extra_forbidden":
        path = details["loc"]
        return [Problem(placed.place_of(path, of_key=True), dotted(path), _unknown_key(schema, path))]
    return [_problem(placed, path, _message(details))]


def _problem(placed: PlacedValues, path: KeyPath, message: str) -> Problem:
    return Problem(placed.place_of(path), dotted(path), message)


def _known_part(loc: Sequence[str | int], values: Any) -> KeyPath:
    """The longest part of `loc` that is a path into the file; pydantic appends the branches of unions to it."""
    path: KeyPath = ()
    for part in loc:
        in_list = isinstance(values, list) and isinstance(part, int) and part < len(values)
        if not in_list and not (isinstance(values, dict) and part in values):
            break
        values = values[part]
        path = (*path, part)
    return path


def _unknown_key(schema: type[BaseModel], path: KeyPath) -> str:
    section = _section_at(schema, path[:-1])
    known = list(section.model_fields) if section is not None else []
    close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
    if close:
        return f"unknown key; did you mean {close[0]!r}?"
    return f"unknown key; known here: {', '.join(known)}"


def _section_at(schema: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    annotation: Any = schema
    for part in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            info = annotation.model_fields.get(str(part))
            annotation = info.annotation if info is not None else None
        else:  # a mapping, a list or a tuple of any length: its values' type
            annotation = next((one for one in reversed(typing.get_args(annotation)) if one is not Ellipsis), None)
        annotation = without_none(annotation)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def without_none(annotation: Any) -> Any:
    """The type itself where None is allowed beside it."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return next(option for option in typing.get_args(annotation) if option is not type(None))
    return annotation


def _expected(what: str, got: Any) -> str:
    if got is None:
        return f"expected {what}, got nothing"
    if isinstance(got, dict | list):
        return f"expected {what}, got a {'mapping' if isinstance(got, dict) else 'list'}"
    return f"expected {what}, got {got!r}"


_EXPECTED = {
    "int_parsing": "an integer",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "list_type": "a list",
    "tuple_type": "a list",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least"),
    "greater_than": ("gt", "must be more than"),
    "less_than_equal": ("le", "must be at most"),
    "less_than": ("lt", "must be less than"),
}


def _message(details: ErrorDetails) -> str:
    kind, got, context = details["type"], details["input"], details.get("ctx", {})
    if kind in _EXPECTED:
        return _expected(_EXPECTED[kind], got)
    if kind == "literal_error":
        options = context["expected"].replace("'", "").replace(" or ", ", ")
        return _expected(f"one of {options}", got)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]}, got {got!r}"
    if kind in ("too_short", "string_too_short"):
        return f"needs at least {context.get('min_length')} item(s)"
    if kind == "string_pattern_mismatch":
        return f"expected text of the form {context['pattern']}, got {got!r}"
    return f"{details['msg'][0].lower()}{details['msg'][1:]}, got {got!r}"


def _once_per_key(problems: Sequence[Problem]) -> list[Problem]:
    """A union reports once per branch; the first says enough."""
    first: dict[tuple[object, str], Problem] = {}
    for problem in problems:
        first.setdefault((problem.place, problem.key), problem)
    return list(first.values())
