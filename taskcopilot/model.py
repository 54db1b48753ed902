"""The base of everything that crosses the wire: camelCase names, strict types, no unknown fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from taskcopilot.errors import InvalidArgumentError

__all__ = ["OF_JSON", "Identifier", "Omittable", "WireModel", "refusal", "whole"]

T = TypeVar("T")

Identifier = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""An id. Free of control characters, because ids become topics."""

_MAX_WHOLE: Final = 2**63


def _of_json(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _MAX_WHOLE else value


OF_JSON: Final = BeforeValidator(_of_json)
"""Comes last at an int, behind its limits: in JSON 5.0 is a whole number too, and some languages print them so."""

_UNKNOWN: Final = "extra_forbidden"


def _is_none(value: object) -> bool:
    return value is None


Omittable = Annotated[T | None, Field(default=None, exclude_if=_is_none)]
"""A field whose key is absent from the JSON when there is no value. Plain `T | None` keeps an explicit null."""


class WireModel(BaseModel):
    """Fields are snake_case here and camelCase on the wire; a wrong type or an unknown field is an error."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
    )


def whole(number: float) -> int | float:
    """Return an int where the number is whole: JSON made by JavaScript prints 50, not 50.0."""
    return int(number) if number == int(number) else number


def refusal(error: ValidationError) -> InvalidArgumentError:
    """Return the error that names the first field at fault and lists the others."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    return InvalidArgumentError("; ".join(map(_describe, problems)), field=_path(problems[0]["loc"]))


def _describe(problem: Any) -> str:
    reason = "unknown field" if problem["type"] == _UNKNOWN else problem["msg"]
    return f"{_path(problem['loc'])}: {reason}"


def _path(location: Sequence[int | str]) -> str:
    return ".".join(map(str, location))
