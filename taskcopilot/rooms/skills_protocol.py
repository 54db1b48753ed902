"""The protocol of the live metrics of skills: small JSON objects without ids, in both directions. Without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from taskcopilot.model import Identifier
from taskcopilot.rooms.protocol import Code

__all__ = ["Refused", "Said", "encode_answer", "encode_refusal", "parse"]

_NAMES: Final = ("skill", "skill_name")
"""Where a skill stands; clients of an earlier description say `skill_name`."""

_IDENTIFIER: Final[TypeAdapter[str]] = TypeAdapter(Identifier)


@dataclass(frozen=True, slots=True)
class Said:
    """What a client said. `verb` is subscribe, unsubscribe, ping or token."""

    verb: str
    skill: str | None = None
    """None for all."""
    token: str = ""


class Refused(Exception):  # noqa: N818 - it is an answer
    """A message that cannot be granted."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def parse(frame: str | bytes) -> Said:
    """Read one message, in text or bytes; raises Refused."""
    try:
        said = orjson.loads(frame)
    except orjson.JSONDecodeError as error:
        raise Refused(Code.DECODE_ERROR, f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Refused(Code.DECODE_ERROR, "expected a JSON object")
    if token := _token(said):
        return Said("token", token=token)
    match said.get("type"):
        case "subscribe":
            return Said("subscribe", _skill(said))
        case "unsubscribe" | "ping" as verb:
            return Said(verb)
        case _:
            raise Refused(Code.UNKNOWN_REQUEST, "type: expected subscribe, unsubscribe or ping")


def encode_answer(kind: str, **members: Any) -> bytes:
    """Return a message to a client."""
    return orjson.dumps({"type": kind, **members})


def encode_refusal(refused: Refused, at: str) -> bytes:
    """Return an error; `message` says it once more for clients of an earlier description."""
    told = {"error_code": str(refused.code), "error_message": refused.message, "message": refused.message}
    return encode_answer("error", **told, timestamp=at)


def _skill(said: dict[str, Any]) -> str | None:
    for name in _NAMES:
        if (found := said.get(name)) is not None:
            try:
                return _IDENTIFIER.validate_python(found, strict=True)
            except ValidationError:
                raise Refused(Code.INVALID_ARGUMENT, f"{name}: expected the name of a skill, or null") from None
    return None


def _token(said: dict[str, Any]) -> str | None:
    """Return a token: bare, or in the request `auth` of the other services."""
    bare, data = said.get("token"), said.get("data")
    if said.get("type") is None and isinstance(bare, str):
        return bare
    if said.get("event") == "auth" and isinstance(data, dict) and isinstance(data.get("token"), str):
        return str(data["token"])
    return None
