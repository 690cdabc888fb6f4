"""YAML that remembers where everything stands, and that nothing in it can hurt."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError, Place, UserError
from configs.places import MAX_BYTES, MAX_DEPTH, MAX_VALUES, override, parse_yaml, read_yaml

# Each name repeats the one before nine times: nine to the ninth values in 400 bytes.
ALIAS_BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def nested(levels: int) -> str:
    """A value below so many keys."""
    return "".join(f"{' ' * level}k:\n" for level in range(levels - 1)) + f"{' ' * levels}k: v\n"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param("a: [1", "f:1:6: not YAML: expected ',' or ']', but got '<stream end>'", id="open list"),
        pytest.param("a:\n\tb: 1", "f:2:1: not YAML: found character '\\t' that cannot start any token", id="tab"),
        pytest.param("a: b: c", "f:1:5: not YAML: mapping values are not allowed here", id="two colons"),
        pytest.param("a: *x", "f:1:4: not YAML: found undefined alias 'x'", id="unknown alias"),
        pytest.param("a: 1\n---\nb: 2", "f:2:1: not YAML: but found another document", id="two documents"),
        pytest.param("a: 1\nb: x\x01", "f:2:5: not YAML: a control character, U+0001", id="control character"),
        pytest.param(b"\x00", "f:1:1: not YAML: a control character, U+0000", id="NUL"),
        pytest.param("a: 1\nb: 表".encode("cp932"), "f:2:1: not UTF-8; save the file as UTF-8", id="CP932"),
        pytest.param("a: 1".encode("utf-16"), "f:1:1: not UTF-8; save the file as UTF-8", id="UTF-16"),
        pytest.param("- a", "f:1:1: expected sections such as 'run:' and 'corpus:' at the top", id="a list"),
        pytest.param("word", "f:1:1: expected sections such as 'run:' and 'corpus:' at the top", id="a word"),
        pytest.param(
            ALIAS_BOMB, f"f:1:14: more than {MAX_VALUES} values; aliases that repeat each other?", id="alias bomb"
        ),
        pytest.param("a: &a [*a]", f"f:1:4: more than {MAX_DEPTH} levels deep; an alias of itself?", id="self-alias"),
        pytest.param(
            "a: &a {b: *a}", f"f:1:4: more than {MAX_DEPTH} levels deep; an alias of itself?", id="self-alias, mapping"
        ),
        pytest.param(
            nested(MAX_DEPTH + 1),
            f"f:{MAX_DEPTH + 1}:{MAX_DEPTH + 5}: more than {MAX_DEPTH} levels deep; an alias of itself?",
            id="one level too deep",
        ),
        pytest.param("a: " + "[" * 1000, f"f:1:1: more than {MAX_DEPTH} levels deep", id="brackets without end"),
    ],
)
def test_what_is_no_yaml_of_ours_is_told_with_its_line(content: str | bytes, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_yaml(content, "f")
    assert str(caught.value).splitlines() == [complaint, "1 problem(s); nothing was started"]


def test_the_deepest_level_allowed_is_read() -> None:
    values = parse_yaml(nested(MAX_DEPTH), "f").values
    for _ in range(MAX_DEPTH - 1):
        values = values["k"]
    assert values == {"k": "v"}


def test_as_many_values_as_allowed_are_read() -> None:
    # 1,000 values, 98 times again, and 999 more: by alias, because reading so many takes ten seconds.
    repeated = f"a: &a [{', '.join('x' * 999)}]\nb: [{', '.join(['*a'] * 98)}]\n"
    assert parse_yaml(f"{repeated}c: [{', '.join('x' * 998)}]", "f").values["c"] == ["x"] * 998
    with pytest.raises(ConfigError, match=f"more than {MAX_VALUES} values"):
        parse_yaml(f"{repeated}c: [{', '.join('x' * 999)}]", "f")


def test_scalars_stay_text_and_only_plain_nothing_is_nothing() -> None:
    placed = parse_yaml("a: no\nb: 1e-5\nc:\nd: ~\ne: null\nf: ''\ng: '~'\nh: !!int '3'\ni: 2024-01-01", "f")
    assert placed.values == {
        **{"a": "no", "b": "1e-5", "c": None, "d": None, "e": None, "f": "", "g": "~", "h": "3", "i": "2024-01-01"}
    }


def test_every_key_and_value_knows_its_place() -> None:
    placed = parse_yaml("a:\n  b: [x, y]\n", "f")
    assert placed.key_places == {("a",): Place("f", 1, 1), ("a", "b"): Place("f", 2, 3)}
    assert placed.value_places == {
        ("a",): Place("f", 2, 3),
        ("a", "b"): Place("f", 2, 6),
        ("a", "b", 0): Place("f", 2, 7),
        ("a", "b", 1): Place("f", 2, 10),
    }


def test_what_has_no_place_of_its_own_has_that_of_the_nearest_thing_around() -> None:
    placed = parse_yaml("a:\n  b: x\n", "f")
    assert placed.place_of(("a", "b", "c", 3)) == Place("f", 2, 3)
    assert placed.place_of(("z",)) == Place("f", 1, 1)
    assert placed.place_of(("a", "b"), of_key=True) == Place("f", 2, 3)
    assert placed.place_of(("a", "b")) == Place("f", 2, 6)


def test_an_alias_is_read_where_it_stands() -> None:
    assert parse_yaml("a: &x {k: v}\nb: *x\n", "f").values == {"a": {"k": "v"}, "b": {"k": "v"}}


def test_a_key_of_several_words_is_a_problem_and_the_rest_is_read() -> None:
    placed = parse_yaml("? [a, b]\n: 1\nc: 2\n", "f")
    assert placed.values == {"c": "2"}
    assert [str(problem) for problem in placed.problems] == ["f:1:3: a key must be one word"]


@pytest.mark.parametrize("content", ["", "# nothing but a comment\n", "\n\n", "\ufeff"], ids=repr)
def test_a_file_without_values_is_an_empty_mapping(content: str) -> None:
    assert parse_yaml(content.encode(), "f").values == {}


def test_a_byte_order_mark_does_not_shift_the_places() -> None:
    assert parse_yaml(b"\xef\xbb\xbfa: 1", "f").key_places == {("a",): Place("f", 1, 1)}


@given(st.text(max_size=60) | st.text("[]{}:,-&*!?|>'\"%@#\n a1\t", max_size=60))
def test_any_text_is_values_or_a_complaint(text: str) -> None:
    with suppress(ConfigError):
        assert isinstance(parse_yaml(text, "f").values, dict)


@given(st.binary(max_size=60))
def test_any_bytes_are_values_or_a_complaint(content: bytes) -> None:
    with suppress(ConfigError):
        assert isinstance(parse_yaml(content, "f").values, dict)


def test_a_file_of_the_largest_size_is_read_and_one_byte_more_is_not(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"\xff" * MAX_BYTES)
    with pytest.raises(ConfigError, match="not UTF-8"):  # it was read, which for YAML takes five seconds
        read_yaml(path)
    path.write_bytes(b"\xff" * (MAX_BYTES + 1))
    with pytest.raises(UserError, match=f"{MAX_BYTES + 1} bytes; a YAML file of ours has at most {MAX_BYTES}"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("assignment", "values"),
    [
        pytest.param("a=2", {"a": "2", "l": ["x", "y"], "n": None}, id="a value"),
        pytest.param("l.1=z", {"a": "1", "l": ["x", "z"], "n": None}, id="an item of a list"),
        pytest.param("l=[p]", {"a": "1", "l": ["p"], "n": None}, id="a list"),
        pytest.param("n.k.j=3", {"a": "1", "l": ["x", "y"], "n": {"k": {"j": "3"}}}, id="below nothing"),
        pytest.param("new.k=3", {"a": "1", "l": ["x", "y"], "n": None, "new": {"k": "3"}}, id="below a new key"),
        pytest.param(" a =2", {"a": "2", "l": ["x", "y"], "n": None}, id="spaces around the key"),
        pytest.param("a=k=v", {"a": "k=v", "l": ["x", "y"], "n": None}, id="equals sign in the value"),
    ],
)
def test_an_override_puts_its_value_where_the_key_says(assignment: str, values: object) -> None:
    placed = parse_yaml("a: 1\nl: [x, y]\nn:\n", "f")
    override(placed, assignment)
    assert placed.values == values


@pytest.mark.parametrize(
    ("assignment", "complaint"),
    [
        pytest.param("a.b=1", "--set a.b=1: a: holds no key 'b'", id="below a value"),
        pytest.param("l.2=1", "--set l.2=1: l: holds no key '2'", id="behind the end of a list"),
        pytest.param("l.x=1", "--set l.x=1: l: holds no key 'x'", id="word for a list"),
        pytest.param("a=\x01", "--set a=\x01: not YAML: a control character, U+0001", id="control character"),
    ],
)
def test_an_override_of_what_is_not_there_is_told(assignment: str, complaint: str) -> None:
    placed = parse_yaml("a: 1\nl: [x, y]\n", "f")
    with pytest.raises(ConfigError) as caught:
        override(placed, assignment)
    assert str(caught.value).splitlines()[0] == complaint


def test_an_override_is_the_place_of_everything_in_it_and_of_nothing_it_replaced() -> None:
    placed = parse_yaml("a: {b: {c: 1}, d: 2}", "f")
    override(placed, "a.b={x: {y: 3}}")
    shown = Place("--set a.b={x: {y: 3}}")
    assert placed.value_places == {
        ("a",): Place("f", 1, 4),
        ("a", "b"): shown,
        ("a", "b", "x"): shown,
        ("a", "b", "x", "y"): shown,
        ("a", "d"): Place("f", 1, 19),
    }
