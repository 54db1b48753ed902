"""The command `taskcopilot`: its table of commands, and what becomes of errors.

Exit codes: 0 done, 1 failed, 2 usage or invalid argument, 3 not found, 4 conflict, 124 timed out, 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Final

import click

from taskcopilot import __version__
from taskcopilot.cli.failures import INTERRUPTED, USAGE, report, report_usage
from taskcopilot.cli.options import database_option, json_option

__all__ = ["main"]

_COMMANDS: Final = {
    "serve": ("serve", "Serve HTTP and WebSocket until Ctrl-C."),
    "mcp": ("mcp", "Serve the tools to an agent over stdio (MCP)."),
    "init": ("init", "Add this server to a project's .mcp.json, or take it out."),
    "hooks": ("hooks", "Let Claude Code tell the bridge what its agents do."),
    "channel": ("channel", "Wake a session of Claude Code with events."),
    "task": ("groups", "Create, update, claim and read tasks."),
    "stream": ("groups", "Read streams, check them for conflicts, archive them."),
    "checkpoint": ("groups", "Save a task's place and come back to it."),
    "prd": ("groups", "Create and read product requirements."),
    "agent": ("groups", "Hand work over, show the chain, send heartbeats."),
    "work-product": ("groups", "Store and read what agents made."),
    "initiative": ("groups", "Link, archive or wipe an initiative."),
    "service": ("groups", "Publish events of the services, and see how they are."),
    "skill": ("groups", "Record how skills are used."),
    "summary": ("groups", "Show the progress of the initiative."),
    "health": ("groups", "Count what the workspace holds."),
    "tools": ("tools", "List all tools."),
    "call": ("tools", "Call any tool with JSON."),
    "events": ("events", "Print the event log."),
    "watch": ("watch", "Print events as they happen."),
    "top": ("top", "Watch streams, agents and events in the terminal."),
    "wait": ("wait", "Wait for an event, print it, and exit."),
    "webhook": ("webhook", "Send events to HTTP endpoints."),
    "config": ("config", "Show the settings and where they come from."),
    "token": ("token", "Make, list and revoke the tokens that clients show."),
    "doctor": ("care", "Check that the database is sound."),
    "backup": ("care", "Copy the database while it is in use."),
    "restore": ("care", "Put a backup in the database's place."),
}
"""Command -> the module of this package that makes it (`command(name)`), and its line of the help."""

_EPILOG: Final = """\
Shell completion: add to your start-up file

  eval "$(_TASKCOPILOT_COMPLETE=bash_source taskcopilot)"     (or zsh_source, fish_source)
"""


class _Root(click.Group):
    """Finds commands without importing them, and turns errors into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, summary = _COMMANDS[cmd_name]
        command: click.Command = import_module(f"taskcopilot.cli.{module}").command(cmd_name)
        command.help = command.help or summary
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        formatter.write("\n" + _EPILOG)

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except BrokenPipeError:
            _discard_output()
            return 0
        except KeyboardInterrupt:
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - whatever it is, people get a sentence and scripts a code
            return report(error, as_json=_wants_json(ctx.obj))


@click.group(cls=_Root, name="taskcopilot", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="taskcopilot")
@database_option
@json_option
def _root(**_flags: object) -> None:
    """Tasks for agents, with every change seen as it happens.

    The workspace is that of the working directory, unless --db, TASKCOPILOT_DB, TASK_DB_PATH or WORKSPACE_ID say
    otherwise.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    sys.exit(_run(given))


def _run(arguments: Sequence[str]) -> int:
    colour = False if os.environ.get("NO_COLOR") else None
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a title that the terminal cannot show is no failure
    try:
        outcome = _root.main(
            list(arguments), obj=arguments, color=colour, prog_name="taskcopilot", standalone_mode=False
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return USAGE
    except click.UsageError as error:
        return report_usage(error, as_json=_wants_json(arguments))
    except click.ClickException as error:
        return report(error, as_json=_wants_json(arguments))
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    return outcome if isinstance(outcome, int) else 0


def _wants_json(arguments: Sequence[str]) -> bool:
    return "--json" in arguments


def _discard_output() -> None:
    """Let what is still buffered go nowhere: whoever read our output has left."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)
