"""What a settings type declares, read off its annotations: each setting's name, type, default, meaning and form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast, get_type_hints

import msgspec.inspect as inspect
from msgspec import NODEFAULT, Meta, Struct

from pulp.common.errors import PulpError
from pulp.common.times import format_duration, parse_duration

S = TypeVar("S", bound=Struct)


class SettingsError(PulpError):
    """`problems`: one sentence for each thing that is wrong, each naming its place and the fix."""

    code = "settings"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Effective(Generic[S]):
    """Settings and where each came from: `origins` maps `section.key` to a place; what is absent has its default."""

    settings: S
    origins: Mapping[str, str]


def duration(meaning: str, *, at_least: str | None = None, at_most: str | None = None) -> Meta:
    """An int of milliseconds that is written as text such as `90s` or `7d`; the bounds are texts of this form too."""
    return Meta(
        description=meaning,
        extra={"form": "duration"},
        ge=parse_duration(at_least) if at_least else 1,
        le=parse_duration(at_most) if at_most else None,
    )


def secret(meaning: str) -> Meta:
    """A text that is never printed."""
    return Meta(description=meaning, extra={"form": "secret"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One declared setting. `hint` is the whole annotation, `type` its inspected inner type."""

    section: str
    key: str
    hint: Any
    type: inspect.Type
    form: str
    said: str
    meaning: str
    default: Any

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def optional(self) -> bool:
        return isinstance(self.type, inspect.UnionType) and self.type.includes_none

    def wanted(self) -> str:
        """What a value must be, as words."""
        if self.said:
            return self.said
        if self.form == "duration":
            return "a duration such as 90s, 30m, 2h or 7d" + _bounds(self.type, format_duration)
        return _describe(self.type)


def settings_of(type_: type[Struct]) -> list[Setting]:
    return [setting for _, _, settings in sections_of(type_) for setting in settings]


def sections_of(type_: type[Struct]) -> Iterator[tuple[str, str, list[Setting]]]:
    """(name, meaning, settings) of each section, in order."""
    for section, cls in get_type_hints(type_).items():
        hints = get_type_hints(cls, include_extras=True)
        info = cast(inspect.StructType, inspect.type_info(cls))
        fields = [_setting(section, field, hints[field.name]) for field in info.fields]
        yield section, " ".join((cls.__doc__ or "").split()), fields


def _setting(section: str, field: inspect.Field, hint: Any) -> Setting:
    type_ = field.type
    extra: dict[str, Any] = {}
    schema: dict[str, Any] = {}
    while isinstance(type_, inspect.Metadata):
        extra |= type_.extra or {}
        schema |= type_.extra_json_schema or {}
        type_ = type_.type
    default = field.default if field.default_factory is NODEFAULT else field.default_factory()
    return Setting(
        section=section,
        key=field.name,
        hint=hint,
        type=type_,
        form=extra.get("form", ""),
        said=extra.get("wanted", ""),
        meaning=schema.get("description", ""),
        default=default,
    )


_PLAIN = {
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a number",
    inspect.StrType: "a text",
    inspect.CustomType: "a path",
}


def _describe(type_: inspect.Type) -> str:
    match type_:
        case inspect.Metadata():
            return _describe(type_.type)
        case inspect.UnionType():
            return " or ".join(
                _describe(t) for t in type_.types if not isinstance(t, inspect.NoneType)
            )
        case inspect.LiteralType():
            return "one of " + ", ".join(str(v) for v in type_.values)
        case inspect.ListType() | inspect.VarTupleType():
            return f"a list, each {_describe(type_.item_type)}"
        case inspect.StrType() if type_.pattern:
            return f"a text of the form {type_.pattern}"
    return _PLAIN.get(type(type_), type(type_).__name__) + _bounds(type_, str)


def _bounds(type_: inspect.Type, text: Any) -> str:
    low, high = getattr(type_, "ge", None), getattr(type_, "le", None)
    if low is not None and high is not None:
        return f" from {text(low)} to {text(high)}"
    if low is not None and low > 1:
        return f" of at least {text(low)}"
    if low is not None and not isinstance(type_, inspect.StrType):
        return " above zero" if low == 1 else f" of at least {text(low)}"
    return f" of at most {text(high)}" if high is not None else ""
