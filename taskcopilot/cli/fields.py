"""Command line parameters made from the fields of a tool's input model."""

from __future__ import annotations

import re
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import click
import orjson
from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["arguments_from", "parameters"]

_UPPER: Final = re.compile(r"(?=[A-Z])")

_RARELY_USED: Final = "idempotencyKey"
"""The last option of the help."""


def parameters(model: type[BaseModel], positional: tuple[str, ...]) -> list[click.Parameter]:
    """Return the parameters of a command: the fields named in `positional` as arguments, all others as options.

    `positional` holds wire names. The parameters' names are the fields' names.
    """
    fields = {field.alias or name: (name, field) for name, field in model.model_fields.items()}
    arguments = [_argument(*fields[wire]) for wire in positional]
    rest = sorted(fields.keys() - set(positional), key=lambda wire: (wire == _RARELY_USED, list(fields).index(wire)))
    options = [_option(wire, *fields[wire]) for wire in rest]
    return [*arguments, *options]


def arguments_from(model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Return the tool's arguments by wire name; what was not given is left out, so that the defaults apply."""
    given = {}
    for name, field in model.model_fields.items():
        value = values.get(name)
        if value is None or value == ():
            continue
        kind = _kind(field.annotation)
        if kind is dict:
            value = {key: entry for part in value for key, entry in part.items()}
        elif kind is list:
            value = list(value)
        elif value == "null" and _takes_null(field):
            value = None
        given[field.alias or name] = value
    return given


def _argument(name: str, field: FieldInfo) -> click.Argument:
    kind = _kind(field.annotation)
    return click.Argument(
        [name],
        type=_type(field),
        nargs=-1 if kind is list else 1,
        required=True,
        metavar=_dashed(field.alias or name).upper().replace("-", "_") + ("..." if kind is list else ""),
    )


def _option(wire: str, name: str, field: FieldInfo) -> click.Option:
    kind = _kind(field.annotation)
    flag = f"--{_dashed(wire)}"
    if kind is bool:
        return click.Option([f"{flag}/--no-{_dashed(wire)}", name], default=None, help=_help(field))
    return click.Option(
        [flag, name],
        type=_type(field),
        multiple=kind in (dict, list),
        required=field.is_required() and kind not in (dict, list),
        help=_help(field),
    )


def _help(field: FieldInfo) -> str:
    text = field.description or ""
    if _kind(field.annotation) is dict:
        text += " (JSON object, or KEY=VALUE; repeatable)"
    elif _kind(field.annotation) is list:
        text += " (repeatable)"
    return text.strip()


def _takes_null(field: FieldInfo) -> bool:
    """Only fields that say so give null a meaning; elsewhere it is a word like any other."""
    return "null" in (field.description or "")


def _dashed(wire: str) -> str:
    return _UPPER.sub("-", wire).lower().lstrip("-")


def _type(field: FieldInfo) -> click.ParamType[Any] | type:
    inner = _inner(field.annotation)
    kind = _kind(inner)
    if kind is dict:
        return _Pairs()
    if kind is list:
        return str
    if get_origin(inner) is Literal:
        return click.Choice(get_args(inner))
    return kind if kind in (int, float, str) else str


def _kind(annotation: Any) -> Any:
    """Return the bare class behind an annotation: str, int, float, bool, dict or list; a model is given as a dict."""
    inner = _inner(annotation)
    kind = get_origin(inner) or inner
    return dict if isinstance(kind, type) and issubclass(kind, BaseModel) else kind


def _inner(annotation: Any) -> Any:
    """Strip constraints and the alternative None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _inner(get_args(annotation)[0])
    if origin in (Union, UnionType):
        others = [option for option in get_args(annotation) if option is not NoneType]
        kinds = {_kind(option) for option in others}
        return float if kinds == {int, float} else _inner(others[0])
    return annotation


class _Pairs(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.3 on
    """A JSON object, or one `key=value` whose value is JSON where it can be read as such, and text otherwise."""

    name = "json"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        if isinstance(value, dict):
            return value
        if not _is_unicode(value):
            self.fail("not UTF-8", param, ctx)
        if not value.lstrip().startswith("{"):
            key, equals, text = value.partition("=")
            if not key or not equals:
                self.fail(f"{value!r} is neither a JSON object nor KEY=VALUE", param, ctx)
            return {key: _json_or_text(text)}
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            self.fail(f"not JSON: {error}", param, ctx)
        return found  # type: ignore[no-any-return]


def _is_unicode(text: str) -> bool:
    """Tell whether the text could be decoded: Python smuggles other bytes of the command line in as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _json_or_text(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
