"""Plans: streams of shell commands with dependencies between them, read from TOML and checked before anything runs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

__all__ = ["Plan", "PlanError", "Step", "Stream", "load"]

_PHASES: Final = ("foundation", "parallel", "integration")


class PlanError(Exception):
    """The plan cannot be run; the message names the place."""


@dataclass(frozen=True, slots=True)
class Step:
    """One task: a title and the shell command that does it."""

    title: str
    run: str


@dataclass(frozen=True, slots=True)
class Stream:
    """Steps that run one after the other, once the streams in `needs` are complete."""

    id: str
    name: str
    phase: str
    needs: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A title and its streams, in the order of the file."""

    title: str
    streams: tuple[Stream, ...]


def load(path: Path) -> Plan:
    """Read and check a plan; raises PlanError that names what is wrong and where."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PlanError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PlanError(f"{path}: {error}") from error
    _known(document, {"title", "stream"}, "the plan")
    streams = tuple(_stream(entry, number) for number, entry in enumerate(_tables(document, "stream", "the plan"), 1))
    plan = Plan(_text(document, "title", "the plan"), streams)
    _check_dependencies(plan)
    return plan


def _stream(entry: Mapping[str, Any], number: int) -> Stream:
    where = f"stream {entry.get('id', number)!r}"
    _known(entry, {"id", "name", "phase", "needs", "task"}, where)
    identifier, phase = _text(entry, "id", where), entry.get("phase", "parallel")
    if phase not in _PHASES:
        raise PlanError(f"{where}: phase: expected one of {', '.join(_PHASES)}")
    needs = entry.get("needs", [])
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise PlanError(f"{where}: needs: expected a list of stream ids")
    steps = tuple(_step(task, f"{where}, task {at}") for at, task in enumerate(_tables(entry, "task", where), 1))
    return Stream(identifier, entry.get("name", identifier), phase, tuple(needs), steps)


def _step(entry: Mapping[str, Any], where: str) -> Step:
    _known(entry, {"title", "run"}, where)
    return Step(_text(entry, "title", where), _text(entry, "run", where))


def _known(entry: Mapping[str, Any], names: set[str], where: str) -> None:
    for name in entry:
        if name not in names:
            raise PlanError(f"{where}: {name}: unknown key; known are {', '.join(sorted(names))}")


def _text(entry: Mapping[str, Any], name: str, where: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str) or not value.strip():
        raise PlanError(f"{where}: {name}: expected a text")
    return value


def _tables(entry: Mapping[str, Any], name: str, where: str) -> list[Mapping[str, Any]]:
    value = entry.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
        raise PlanError(f"{where}: expected at least one [[{name}]]")
    return value


def _check_dependencies(plan: Plan) -> None:
    needs = {stream.id: set(stream.needs) for stream in plan.streams}
    if len(needs) < len(plan.streams):
        raise PlanError("two streams have the same id")
    for stream in plan.streams:
        for need in stream.needs:
            if need not in needs:
                raise PlanError(f"stream {stream.id!r}: needs: there is no stream {need!r}")
    while free := [stream for stream, waits in needs.items() if not waits]:
        for stream in free:
            del needs[stream]
        for waits in needs.values():
            waits.difference_update(free)
    if needs:
        raise PlanError(f"the streams {', '.join(sorted(needs))} wait for each other")
