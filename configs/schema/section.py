"""What every section of a run file is: frozen, without unknown keys, with rules that name their key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

Check = Callable[[Any], str | None]
CheckT = TypeVar("CheckT", bound=Check)

RULE_ERROR = "tsugiki_rules"

_OPERATIONAL = {"operational": True}


def operational(default: Any, **constraints: Any) -> Any:
    """A key that says how the work is done and never what comes out: no digest contains it."""
    return Field(default, json_schema_extra=dict(_OPERATIONAL), **constraints)


def is_operational(info: FieldInfo) -> bool:
    """Whether a field was declared with `operational`."""
    return info.json_schema_extra == _OPERATIONAL


def rule(key: str) -> Callable[[CheckT], CheckT]:
    """Mark a method of a section as a rule: it gives a message about `key`, or None when all is well."""

    def mark(check: CheckT) -> CheckT:
        check.__rule_key__ = key  # type: ignore[attr-defined]  # read back in __pydantic_init_subclass__
        return check

    return mark


class Section(BaseModel):
    """A section of the run file. The docstring under a field is its description."""

    # JSON, which manifests are, has neither infinity nor NaN.
    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True, allow_inf_nan=False
    )

    _rules: ClassVar[tuple[tuple[str, str], ...]] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        found = [
            (member.__rule_key__, name)
            for name, member in vars(cls).items()
            if callable(member) and hasattr(member, "__rule_key__")
        ]
        cls._rules = (*cls._rules, *found)

    @model_validator(mode="after")
    def _keep_rules(self) -> Self:
        broken = [(key, message) for key, name in self._rules if (message := getattr(self, name)()) is not None]
        if broken:
            # One error can carry several: the loader gives each its own key and line.
            raise PydanticCustomError(RULE_ERROR, "{problems}", {"problems": broken})
        return self

    def digested(self) -> dict[str, Any]:
        """The values that decide what comes out, as plain JSON data, defaults included."""
        values: dict[str, Any] = {}
        for name, info in type(self).model_fields.items():
            if is_operational(info):
                continue
            values[name] = _plain(getattr(self, name))
        return values


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        return value.digested()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
