"""The commands that are tools: one table, and commands made from the tools' own models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import click

from taskcopilot.cli.fields import arguments_from, parameters
from taskcopilot.cli.options import database_option, json_option, wants_json
from taskcopilot.cli.render import show
from taskcopilot.cli.running import call_tool
from taskcopilot.tools.table import REGISTRY

__all__ = ["command"]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A command: the tool behind it, its line in the list, and which of its arguments stand without a flag."""

    tool: str
    summary: str
    positional: tuple[str, ...] = ()


_GROUPS: Final[dict[str, dict[str, _Entry]]] = {
    "task": {
        "create": _Entry("task_create", "Create a task: alone, under a PRD, or in a stream.", ("title",)),
        "update": _Entry("task_update", "Change status, agent, notes or metadata.", ("id",)),
        "get": _Entry("task_get", "Show one task.", ("id",)),
        "list": _Entry("task_list", "List tasks, oldest first."),
        "claim": _Entry("task_claim", "Take a task, so that no other agent does.", ("id",)),
        "release": _Entry("task_release", "Give a claimed task back.", ("id",)),
    },
    "stream": {
        "list": _Entry("stream_list", "List streams with their progress."),
        "get": _Entry("stream_get", "Show one stream with its tasks.", ("streamId",)),
        "conflicts": _Entry("stream_conflict_check", "Tell who else works on these files.", ("files",)),
        "archive-all": _Entry("stream_archive_all", "Archive the tasks of all streams."),
        "unarchive": _Entry("stream_unarchive", "Bring an archived stream back.", ("streamId",)),
    },
    "checkpoint": {
        "create": _Entry("checkpoint_create", "Save where a task stands.", ("taskId",)),
        "get": _Entry("checkpoint_get", "Show one checkpoint.", ("id",)),
        "resume": _Entry("checkpoint_resume", "Show how to go on from the latest checkpoint.", ("taskId",)),
        "list": _Entry("checkpoint_list", "List a task's checkpoints, newest first.", ("taskId",)),
        "cleanup": _Entry("checkpoint_cleanup", "Delete expired and old checkpoints."),
    },
    "prd": {
        "create": _Entry("prd_create", "Write down what is to be built.", ("title",)),
        "get": _Entry("prd_get", "Show one PRD.", ("id",)),
        "list": _Entry("prd_list", "List PRDs with their progress, newest first."),
    },
    "agent": {
        "handoff": _Entry("agent_handoff", "Hand a task from one agent to another.", ("taskId",)),
        "chain": _Entry("agent_chain_get", "Show the handoffs of a task.", ("taskId",)),
        "heartbeat": _Entry("agent_heartbeat", "Say that an agent is still at work.", ("taskId",)),
    },
    "work-product": {
        "store": _Entry("work_product_store", "Keep what a task produced.", ("taskId",)),
        "get": _Entry("work_product_get", "Show one work product.", ("id",)),
        "list": _Entry("work_product_list", "List the work products of a task.", ("taskId",)),
    },
    "initiative": {
        "link": _Entry("initiative_link", "Make an initiative the current one.", ("initiativeId",)),
        "archive": _Entry("initiative_archive", "Write an initiative to a JSON file."),
        "wipe": _Entry("initiative_wipe", "Delete all work of an initiative, for good."),
    },
    "service": {
        "publish": _Entry("service_publish", "Publish an event of a service.", ("service", "event")),
        "status": _Entry("service_status", "Tell which services are served, and where."),
        "rooms": _Entry("service_rooms", "List the rooms that somebody is in.", ("service",)),
    },
    "skill": {
        "record": _Entry("skill_record", "Record that a skill was used.", ("skillName",)),
    },
}

_SINGLE: Final = {
    "summary": _Entry("progress_summary", "Show the progress of the initiative."),
    "health": _Entry("health_check", "Count what the workspace holds."),
}


class _Group(click.Group):
    """A group whose commands are made when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_GROUPS[self.name or ""])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        entry = _GROUPS[self.name or ""].get(cmd_name)
        return None if entry is None else _command(cmd_name, entry)


def command(name: str) -> click.Command:
    """Return a group or a single command of this module by its name."""
    return _group(name) if name in _GROUPS else _command(name, _SINGLE[name])


def _group(name: str) -> click.Group:
    group = _Group(name=name, callback=_nothing)
    return database_option(json_option(group))  # type: ignore[no-any-return]


def _nothing(**_flags: object) -> None:
    """A group does nothing by itself."""


def _command(name: str, entry: _Entry) -> click.Command:
    """Make the command of a tool: its description is the help, its fields are the parameters."""
    tool = REGISTRY[entry.tool]

    @click.pass_context
    def run(ctx: click.Context, /, **values: Any) -> None:
        show(call_tool(ctx, tool.name, arguments_from(tool.input, values)), as_json=wants_json(ctx))

    command = click.Command(
        name,
        params=parameters(tool.input, entry.positional),
        callback=run,
        help=tool.description,
        short_help=entry.summary,
    )
    return database_option(json_option(command))  # type: ignore[no-any-return]
