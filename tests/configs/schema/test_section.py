"""Sections: frozen, strict about keys, and digests that leave out how the work is done."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from configs.schema.section import Section, operational, rule


class Inner(Section):
    """A section of a section."""

    share: float = 0.5
    workers: int = operational(2, ge=1)


class Outer(Section):
    """Two rules, one of them inherited by Later."""

    name: str = "x"
    parts: dict[str, Inner] = Field(default={"a": Inner()})
    pair: tuple[int, ...] = (1, 2)
    threads: int = operational(4)

    @rule("name")
    def no_spaces(self) -> str | None:
        return "has spaces" if " " in self.name else None

    @rule("parts.a.share")
    def small(self) -> str | None:
        return "is large" if self.parts["a"].share > 0.8 else None


class Later(Outer):
    """Inherits the rules and adds one."""

    @rule("threads")
    def few(self) -> str | None:
        return "are many" if self.threads > 8 else None


def test_a_digest_holds_defaults_and_leaves_operational_keys_out_at_every_depth() -> None:
    assert Outer().digested() == {"name": "x", "parts": {"a": {"share": 0.5}}, "pair": [1, 2]}


def test_operational_keys_do_not_change_a_digest_and_others_do() -> None:
    busy = Outer(threads=64, parts={"a": Inner(workers=32)})
    assert busy.digested() == Outer().digested()
    assert Outer(name="y").digested() != Outer().digested()


def test_a_section_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Outer().name = "y"


@pytest.mark.parametrize("name", ["zzz", "_rules", "model_config"])
def test_an_unknown_key_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Outer.model_validate({name: 1})


def test_all_broken_rules_are_told_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer(name="a b", parts={"a": Inner(share=0.9)})
    assert caught.value.errors()[0]["ctx"]["problems"] == [("name", "has spaces"), ("parts.a.share", "is large")]


def test_a_heir_keeps_the_rules_and_adds_its_own() -> None:
    with pytest.raises(ValidationError) as caught:
        Later(name="a b", threads=9)
    assert caught.value.errors()[0]["ctx"]["problems"] == [("name", "has spaces"), ("threads", "are many")]
    assert Outer(threads=9).threads == 9


def test_the_text_below_a_field_describes_it() -> None:
    class Described(Section):
        """A section."""

        key: int = 1
        """What it is for."""

    assert Described.model_fields["key"].description == "What it is for."


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), "inf", "nan"], ids=repr)
def test_a_number_that_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Inner.model_validate({"share": value})
