"""Log lines: one record a line whatever is in it, for people and for programs."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from taskcopilot.logs import CONNECTION, configure_log

HOSTILE = "title\r\n2026-01-08T12:00:00.000Z ERROR forged: \x1b[2J\u2028\u202e\x00\x85\ud800 Grüße 世界"

log = logging.getLogger("taskcopilot.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Give the root logger its handlers and levels back."""
    root, ours = logging.getLogger(), logging.getLogger("taskcopilot")
    before, levels = root.handlers[:], (root.level, ours.level)
    yield
    root.handlers[:] = before
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


def written(monkeypatch: pytest.MonkeyPatch, shape: str, stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_log("info", shape)
    return stream


def test_a_hostile_text_is_one_json_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """In ASCII, and the text comes back as it was."""
    stream = written(monkeypatch, "json")
    log.warning("task %s", HOSTILE, extra={"seq": 7})
    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line.isascii()
    assert json.loads(line).items() >= {"level": "warning", "message": f"task {HOSTILE}", "seq": 7}.items()


def test_a_hostile_text_is_one_line_of_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it steers the terminal; letters of any language stay."""
    stream = written(monkeypatch, "text")
    log.warning("task %s", HOSTILE)
    line = stream.getvalue()
    assert line.rstrip("\n").isprintable()
    assert "\\r\\n2026" in line
    assert "\\x1b[2J\\u2028\\u202e\\x00\\x85\\ud800 Grüße 世界" in line


@pytest.mark.parametrize("shape", ["text", "json"])
def test_a_traceback_looks_like_no_other_record(monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    """The message of an exception is anybody's text too."""
    stream = written(monkeypatch, shape)
    try:
        _fail()
    except ValueError:
        log.exception("it failed")
    lines = stream.getvalue().rstrip("\n").split("\n")
    if shape == "json":
        assert "forged" in json.loads(lines[0])["exception"]
        assert len(lines) == 1
    else:
        assert "it failed" in lines[0]
        assert len(lines) > 3
        assert all(line.startswith("    ") and line.isprintable() for line in lines[1:])


def _fail() -> None:
    raise ValueError(HOSTILE)


def test_auto_is_text_on_a_terminal_and_json_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """What people read, and what programs read."""
    assert not _is_json(_one_line(monkeypatch, Terminal()))
    assert _is_json(_one_line(monkeypatch, io.StringIO()))


def _one_line(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO) -> str:
    written(monkeypatch, "auto", stream)
    log.info("hello")
    return stream.getvalue()


def _is_json(line: str) -> bool:
    return line.startswith("{")


def test_the_connection_that_is_served_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the context, or by who logs for another; without one, nothing is said."""
    stream = written(monkeypatch, "json")
    log.info("none")
    token = CONNECTION.set("mine")
    log.info("mine")
    log.info("another's", extra={"connection": "another"})
    CONNECTION.reset(token)
    told = [json.loads(line).get("connection") for line in stream.getvalue().splitlines()]
    assert told == [None, "mine", "another"]


def test_the_level_is_for_our_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of libraries only warnings; and configuring twice writes no line twice."""
    stream = written(monkeypatch, "json")
    configure_log("info", "json")
    logging.getLogger("aiohttp").info("chatter")
    log.debug("detail")
    log.info("once")
    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["once"]
