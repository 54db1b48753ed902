"""The base of everything that crosses the wire: camelCase names, strict types, no unknown fields."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = ["Omittable", "WireModel", "whole"]

T = TypeVar("T")


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
