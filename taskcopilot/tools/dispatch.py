"""Runs tool calls: validates the arguments, keeps the idempotency promise, and picks the reader or the recorder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from taskcopilot.auth.access import EVERYTHING, Access
from taskcopilot.errors import IdempotencyConflictError, InvalidArgumentError
from taskcopilot.json_values import refuse_unstorable
from taskcopilot.model import refusal
from taskcopilot.recorder import Recorder
from taskcopilot.store import idempotency
from taskcopilot.store.database import Database
from taskcopilot.store.transaction import Tx
from taskcopilot.tools.fields import WriteInput
from taskcopilot.tools.lookout import Lookout, Report, in_silence
from taskcopilot.tools.permissions import permitted
from taskcopilot.tools.registry import Registry, Tool

__all__ = ["Toolbox", "parse"]

Model = TypeVar("Model", bound=BaseModel)


class Toolbox:
    """The tools of a running bridge. May be called from the event loop by any number of tasks at once."""

    def __init__(self, registry: Registry, database: Database, recorder: Recorder) -> None:
        self.registry = registry
        self._database = database
        self._recorder = recorder

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        report: Report = in_silence,
        *,
        access: Access = EVERYTHING,
    ) -> BaseModel:
        """Run a tool and return its answer; its events were handed to every live client by then.

        A tool that waits ends when it is cancelled, and calls `report` meanwhile. `access` is what the caller may do.

        Raises RefusedError for what it may not, NotFoundError for an unknown tool, InvalidArgumentError naming the
        field, and what the tool raises; then nothing was changed.
        """
        tool = self.registry[name]
        if access is not EVERYTHING:
            tool = permitted(tool, access)
        call = parse(tool.input, arguments)
        if tool.waits:
            answer: BaseModel = await tool.run(Lookout(self._database, self._recorder, report, access.view), call)
            return answer
        if not tool.writes:
            return await self._database.read(partial(_run, tool, call))
        return await self._recorder.record(partial(_write, tool, call, _seen_by(access)))


def parse(model: type[Model], arguments: Mapping[str, Any]) -> Model:
    """Build the input model; raise InvalidArgumentError that names the first field at fault and lists the others."""
    if not isinstance(arguments, Mapping):
        raise InvalidArgumentError("the arguments must be a JSON object", field="arguments")
    refuse_unstorable(arguments)
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        raise refusal(error) from None


def _run(tool: Tool, call: BaseModel, tx: Any) -> BaseModel:
    answer: BaseModel = tool.run(tx, call)
    return answer


def _write(tool: Tool, call: BaseModel, seen_by: str, tx: Tx) -> BaseModel:
    """Run a tool that writes, unless its key was used before: then answer what it answered then."""
    key = call.idempotency_key if isinstance(call, WriteInput) else None
    if key is None:
        return _run(tool, call, tx)
    arguments_hash = _hash(call) + seen_by
    known = idempotency.find(tx, key)
    if known is not None:
        if (known.tool, known.arguments_hash) != (tool.name, arguments_hash):
            raise IdempotencyConflictError(
                f"idempotencyKey {key!r} was used for another call of {known.tool}", field="idempotencyKey"
            )
        return tool.output.model_validate_json(known.result, by_alias=True)
    answer = _run(tool, call, tx)
    idempotency.remember(tx, key, idempotency.Remembered(tool.name, arguments_hash, answer.model_dump_json()))
    return answer


def _seen_by(access: Access) -> str:
    """Keep callers who see different parts apart: the answer to one is not for the other."""
    if access.view is None:
        return ""
    return "@" + " ".join(sorted(pattern.text for pattern in access.view.patterns))


def _hash(call: BaseModel) -> str:
    arguments = call.model_dump(exclude={"idempotency_key"}, by_alias=True, exclude_unset=True)
    return hashlib.sha256(orjson.dumps(arguments, option=orjson.OPT_SORT_KEYS)).hexdigest()
