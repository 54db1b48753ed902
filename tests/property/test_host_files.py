"""What is added to the files of agent hosts comes out again, whatever was in them and however it was laid out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from taskcopilot.errors import ConflictError, InvalidArgumentError
from taskcopilot.hosts import hook_settings, json_edit, mcp_json

BASE = "http://127.0.0.1:9090"
STDIO = mcp_json.stdio_entry()

SPACE = st.sampled_from(["", " ", "  ", "\n", "\n  ", "\r\n\t", "\t", " \n\n    "])
SCALARS = st.sampled_from(["null", "true", "-1.5e3", "0", '"x"', '"\\u00e9 {[,\\"]}"', '"\\\\"', '"é"', '"\\ud800"'])
KEYS = st.sampled_from(["a", "b", "\\u0061b", "é", "", 'q\\"', "mcpServers2"])


@st.composite
def values(draw: st.DrawFn, depth: int = 2) -> str:
    """Any JSON value as text, in any layout."""
    kind = draw(st.sampled_from("{[s" if depth else "s"))
    if kind == "s":
        return draw(SCALARS)
    inner = draw(st.lists(values(depth - 1), max_size=3))
    if kind == "[":
        return "[" + joined(draw, inner) + "]"
    return "{" + joined(draw, [member(draw, draw(KEYS), value) for value in inner]) + "}"


def member(draw: st.DrawFn, key: str, value: str) -> str:
    return f'"{key}"{draw(SPACE)}:{draw(SPACE)}{value}'


def joined(draw: st.DrawFn, rows: list[str]) -> str:
    return ",".join(draw(SPACE) + row + draw(SPACE) for row in rows) or draw(SPACE)


@st.composite
def files(draw: st.DrawFn, container: str, inside: st.SearchStrategy[str]) -> str:
    """A file by hand: other members before and after the container that we write to, which may not be there."""
    others = [member(draw, draw(KEYS), draw(values())) for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        others.insert(draw(st.integers(0, len(others))), member(draw, container, draw(inside)))
    edges = draw(st.sampled_from(["", "\ufeff"])), draw(SPACE), draw(SPACE)
    return edges[0] + edges[1] + "{" + joined(draw, others) + "}" + edges[2]


@st.composite
def servers(draw: st.DrawFn) -> str:
    return "{" + joined(draw, [member(draw, draw(KEYS), draw(values())) for _ in range(draw(st.integers(0, 2)))]) + "}"


@st.composite
def hooks(draw: st.DrawFn) -> str:
    rows = []
    for event in draw(st.lists(st.sampled_from([*hook_settings.EVENTS, "Stop"]), unique=True, max_size=3)):
        groups = [f'{{"hooks": [{joined(draw, [COMMAND] * draw(st.integers(0, 2)))}]}}'] * draw(st.integers(0, 2))
        rows.append(member(draw, event, "[" + joined(draw, groups) + "]"))
    return "{" + joined(draw, rows) + "}"


COMMAND = '{"type": "command", "command": "make"}'


@given(files("mcpServers", servers()))
@example("{}")
@example("{\n}\n")
@example('{"mcpServers": {}}')
@example('{ "mcpServers": { } }')
@example('{\r\n  "mcpServers" : {\r\n    "x": {}\r\n  }\r\n}')
def test_init_and_its_undo_leave_a_file_byte_for_byte(text: str) -> None:
    """Added are our entry and its container, nothing else is touched; a second time changes nothing."""
    added = mcp_json.install(text, STDIO)
    expected: Any = json_edit.read(text)
    expected.setdefault("mcpServers", {})["task-copilot"] = STDIO
    assert json_edit.read(added) == expected
    assert mcp_json.install(added, STDIO) == added
    moved = mcp_json.install(added, mcp_json.http_entry(BASE, token=True))
    for ours in (added, moved):
        assert mcp_json.uninstall(ours) == text
    assert mcp_json.uninstall(text) == text


@given(files("hooks", hooks()), st.booleans())
@example('{"hooks":{}}', False)
@example('{"hooks": {"TaskCreated": []}}', True)
def test_hooks_and_their_removal_leave_a_file_byte_for_byte(text: str, token: bool) -> None:
    """The same for hooks, of which several are added; those of others stay, and ours move with the port."""
    added = hook_settings.install(text, BASE, token=token)
    assert hook_settings.installed(added) == dict.fromkeys(hook_settings.EVENTS, f"{BASE}/hooks/claude-code")
    assert hook_settings.install(added, BASE, token=token) == added
    moved = hook_settings.install(added, "http://127.0.0.1:9191", token=not token)
    assert set(hook_settings.installed(moved).values()) == {"http://127.0.0.1:9191/hooks/claude-code"}
    for ours in (added, moved):
        assert hook_settings.uninstall(ours) == text
    before, after = (json.loads(each.lstrip("\ufeff")) for each in (text, added))
    before.pop("hooks", None)
    after.pop("hooks")
    assert after == before


def test_a_file_that_we_made_is_gone_afterwards() -> None:
    """None stands for no file."""
    for make, unmake in (
        (lambda text: mcp_json.install(text, STDIO), mcp_json.uninstall),
        (lambda text: hook_settings.install(text, BASE, token=False), hook_settings.uninstall),
    ):
        made = make(None)
        assert made.endswith("}\n")
        assert make(made) == made
        assert unmake(made) is None
        assert unmake(None) is None


def test_what_was_added_by_others_meanwhile_stays() -> None:
    """A server after ours, and a hook in our own group."""
    text = mcp_json.install(None, STDIO)
    more = json_edit.add(text, ("mcpServers", "other"), {"command": "x"})
    assert json_edit.read(mcp_json.uninstall(more) or "") == {"mcpServers": {"other": {"command": "x"}}}
    settings = hook_settings.install(None, BASE, token=False)
    ours = '{\n            "type": "http"'
    mixed = settings.replace(ours, f"{COMMAND}, {ours}", 1)
    assert mixed != settings
    left = hook_settings.uninstall(mixed)
    assert left is not None
    assert json.loads(left) == {"hooks": {"TaskCreated": [{"hooks": [json.loads(COMMAND)]}]}}


@pytest.mark.parametrize(
    "text",
    ["", " ", "{", '{"a": 1,}', "// no\n{}", "{'a': 1}", '{"a": NaN}', "[]", "3", '{"mcpServers": []}', "[" * 9999],
    ids=lambda text: text[:9],
)
def test_what_is_no_such_file_is_an_error(text: str) -> None:
    """Malformed JSON, JSON that is no object, and something else in the place of the container."""
    for edit in (lambda: mcp_json.install(text, STDIO), lambda: mcp_json.uninstall(text)):
        with pytest.raises(InvalidArgumentError):
            edit()
    other = text.replace("mcpServers", "hooks")
    for edit in (lambda: hook_settings.install(other, BASE, token=False), lambda: hook_settings.uninstall(other)):
        with pytest.raises(InvalidArgumentError):
            edit()


def test_a_server_of_others_under_our_name_stays() -> None:
    """Neither replaced nor removed."""
    text = '{"mcpServers": {"task-copilot": {"command": "node", "args": ["server.js"]}}}'
    with pytest.raises(ConflictError, match="not ours"):
        mcp_json.install(text, STDIO)
    assert mcp_json.uninstall(text) == text
