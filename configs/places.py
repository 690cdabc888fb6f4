"""YAML values that remember where they stand.

Scalars stay text: the declared type of a key reads them (`name: no` is "no", `lr: 1e-5` a number), so the
schema, not the YAML dialect, decides what a value is.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from configs.errors import ConfigError, Place, Problem, UserError

KeyPath = tuple[str | int, ...]

# A run file has some hundred values; aliases of aliases could make a small file explode beyond memory.
MAX_VALUES = 100_000
MAX_DEPTH = 32
MAX_BYTES = 10_000_000


def dotted(path: KeyPath) -> str:
    """A key as people write it.

    >>> dotted(("corpus", "sources", "web", "path"))
    'corpus.sources.web.path'
    """
    return ".".join(str(part) for part in path)


@dataclass
class PlacedValues:
    """Nested dicts, lists and texts with the place of every key and value."""

    file: str
    values: dict[str, Any] = field(default_factory=dict)
    key_places: dict[KeyPath, Place] = field(default_factory=dict)
    value_places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place_of(self, path: KeyPath, *, of_key: bool = False) -> Place:
        """Where `path`, or the nearest thing around it, stands."""
        first, second = (self.key_places, self.value_places) if of_key else (self.value_places, self.key_places)
        while path:
            place = first.get(path) or second.get(path)
            if place is not None:
                return place
            path, first, second = path[:-1], self.key_places, self.value_places
        return Place(self.file, 1, 1)


def read_yaml(path: Path) -> PlacedValues:
    """Read a YAML file; keys given twice are noted as problems, broken syntax is an error with its line.

    Raises:
        UserError: if the file cannot be read.
        ConfigError: if it is no YAML, or its top is not a mapping.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: is a directory, expected a YAML file") from None
    except PermissionError:
        raise UserError(f"{path}: no permission to read it") from None
    if len(content) > MAX_BYTES:
        raise UserError(f"{path}: {len(content)} bytes; a YAML file of ours has at most {MAX_BYTES}")
    return parse_yaml(content, str(path))


def parse_yaml(content: bytes | str, file: str) -> PlacedValues:
    """The same for content already read; `file` names it in messages."""
    placed = PlacedValues(file)
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1 if isinstance(content, bytes) else 1
        raise ConfigError([Problem(Place(file, line, 1), "", "not UTF-8; save the file as UTF-8")]) from None
    root = _compose(text, file)
    if root is None:
        return placed
    if not isinstance(root, MappingNode):
        raise ConfigError([Problem(Place(file, 1, 1), "", "expected sections such as 'run:' and 'corpus:' at the top")])
    placed.values = _Reader(placed).mapping(root, ())
    return placed


def _compose(text: str, file: str) -> Node | None:
    try:
        root: Node | None = YAML(typ="safe", pure=True).compose(text)
    except ReaderError as error:
        line, column = text.count("\n", 0, error.position) + 1, error.position - text.rfind("\n", 0, error.position)
        message = f"not YAML: a control character, U+{ord(text[error.position]):04X}"
        raise ConfigError([Problem(Place(file, line, column), "", message)]) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark is not None else Place(file, 1, 1)
        raise ConfigError([Problem(place, "", f"not YAML: {error.problem or error.context}")]) from None
    except YAMLError as error:
        raise ConfigError([Problem(Place(file, 1, 1), "", f"not YAML: {str(error).splitlines()[0]}")]) from None
    except RecursionError:
        raise ConfigError([Problem(Place(file, 1, 1), "", f"more than {MAX_DEPTH} levels deep")]) from None
    return root


class _Reader:
    def __init__(self, placed: PlacedValues) -> None:
        self.placed = placed
        self.seen = 0

    def value(self, node: Node, path: KeyPath) -> Any:
        self.seen += 1
        place = self._place(node)
        if self.seen > MAX_VALUES:
            raise ConfigError([Problem(place, "", f"more than {MAX_VALUES} values; aliases that repeat each other?")])
        if len(path) > MAX_DEPTH:
            raise ConfigError([Problem(place, "", f"more than {MAX_DEPTH} levels deep; an alias of itself?")])
        self.placed.value_places[path] = place
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        if node.style is None and node.value in ("", "~", "null"):
            return None
        return node.value

    def mapping(self, node: MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            if not isinstance(key_node, ScalarNode):
                self.placed.problems.append(Problem(place, dotted(path), "a key must be one word"))
                continue
            key = key_node.value
            if key in values:
                first = self.placed.key_places[(*path, key)].line
                message = f"given twice, first on line {first}"
                self.placed.problems.append(Problem(place, dotted((*path, key)), message))
                continue
            self.placed.key_places[(*path, key)] = place
            values[key] = self.value(value_node, (*path, key))
        return values

    def _place(self, node: Node) -> Place:
        return Place(self.placed.file, node.start_mark.line + 1, node.start_mark.column + 1)


def override(placed: PlacedValues, assignment: str) -> None:
    """Apply one `--set key.of.value=text` in place; the text is read as YAML, so lists and mappings work.

    Raises:
        ConfigError: if it has no `=`, is no YAML, or steps through a value that holds no keys.
    """
    shown = Place(f"--set {assignment}")
    key, equals, text = assignment.partition("=")
    if not equals or not key.strip():
        raise ConfigError([Problem(shown, "", "expected key=value, as in pretrain.optim.lr=2e-5")])
    # One key, so that a scalar, a list and a mapping are all read the same way.
    try:
        read = parse_yaml(f"value: {text}", shown.file)
    except ConfigError as error:
        raise ConfigError([replace(problem, place=shown) for problem in error.problems]) from None
    if read.problems:
        raise ConfigError(
            [
                Problem(shown, key.strip() + problem.key.removeprefix("value"), problem.message)
                for problem in read.problems
            ]
        )
    if len(read.values) > 1:
        raise ConfigError([Problem(shown, key.strip(), "expected one value, got several lines of keys")])
    holder: Any = {"": placed.values}
    part: str | int = ""
    path: KeyPath = ()
    for name in key.strip().split("."):
        below = holder[part]
        if below is None and isinstance(holder, dict):
            below = holder[part] = {}
            placed.key_places.setdefault(path, shown)
        if isinstance(below, dict):
            holder, part = below, name
            holder.setdefault(name, None)
        elif isinstance(below, list) and name.isdigit() and int(name) < len(below):
            holder, part = below, int(name)
        else:
            raise ConfigError([Problem(shown, dotted(path), f"holds no key {name!r}")])
        path = (*path, part)
    holder[part] = read.values["value"]
    _forget_places_below(placed, path)
    placed.key_places[path] = shown
    placed.value_places.update({(*path, *known[1:]): shown for known in read.value_places})


def _forget_places_below(placed: PlacedValues, path: KeyPath) -> None:
    for places in (placed.key_places, placed.value_places):
        for known in [known for known in places if known[: len(path)] == path]:
            del places[known]
