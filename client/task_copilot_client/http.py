"""HTTP to the bridge: reading the event log or the tasks, calling tools. Loads `requests` when first used.

Every request has its own session, so any thread may call at any time, nothing is shared, and nothing is left open.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote, urlencode

from task_copilot_client.address import Address
from task_copilot_client.credentials import Credentials
from task_copilot_client.cursor import Cursor, Gap, as_seq
from task_copilot_client.errors import NoEventLogError, ToolError, UnreachableError
from task_copilot_client.messages import Event, MalformedError, read_event, read_gap
from task_copilot_client.snapshot import Snapshot, read_snapshot
from task_copilot_client.trust import unreachable

if TYPE_CHECKING:
    import requests

__all__ = ["PAGE", "Http", "Page"]

_log: Final = logging.getLogger("task_copilot_client")

_T = TypeVar("_T")

PAGE: Final = 500
"""Events asked for at once: some hundred kilobytes."""

MAX_TOPICS: Final = 4_000
"""Characters of a query up to which topics are named; servers refuse request lines from 8,190 on."""

_UNAUTHORIZED: Final = 401

_PROBLEM_MEMBERS: Final = frozenset({"type", "title", "status", "detail", "code", "field", "error"})


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of the log: its matching events, where to go on, and where the log ended just then."""

    events: tuple[Event, ...]
    next: Cursor
    head: Cursor
    gap: Gap | None


class Http:
    """The HTTP side of one bridge. Any thread.

    `connect_timeout` bounds the connect, `timeout` each wait for bytes of the answer, both in seconds. `ca_file` holds
    the authorities that are trusted instead of those of the system.
    """

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        *,
        connect_timeout: float,
        timeout: float,
        ca_file: str | None = None,
    ) -> None:
        self._base = address.api_base
        self._credentials = credentials
        self._verify = True if ca_file is None else ca_file
        self._timeouts = (connect_timeout, timeout)
        self._trust_environment = not address.is_local

    def head(self) -> Cursor:
        """Return where the log ends now. Raises as `page` does."""
        return self._page({"limit": "1"}).head

    def page(self, since: Cursor, patterns: Sequence[str]) -> Page:
        """Return the next events after a cursor that match.

        May return events that match no pattern: topics too many for a URL are left out, and where a comma would split
        one it asks for any character instead. Raises NoEventLogError when the server has no log to read, and
        UnreachableError for everything else that goes wrong, AuthenticationError among it.
        """
        query = {"since": str(since), "limit": str(PAGE)}
        topics = ",".join(pattern.replace(",", "?") for pattern in patterns)
        if topics and len(quote(topics)) <= MAX_TOPICS:
            query["topics"] = topics
        return self._page(query)

    def _page(self, query: Mapping[str, str]) -> Page:
        response = self._send("GET", f"/api/events?{urlencode(query)}")
        if response.status_code == 404:  # noqa: PLR2004
            raise NoEventLogError(f"{self._base} keeps no event log (GET /api/events is 404)")
        return _read(response, "/api/events", _read_page)

    def tasks(self) -> Snapshot:
        """Return all tasks that are not archived: what a server without a log can be asked. UnreachableError."""
        return _read(self._send("GET", "/api/tasks"), "/api/tasks", read_snapshot)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Call a tool and return its output; ToolError when it is refused, UnreachableError when nobody answers.

        Raises AuthenticationError when the bridge wants another token, and ValueError or TypeError for arguments that
        JSON cannot hold; nothing was sent then.
        """
        body = json.dumps(arguments, allow_nan=False).encode()
        response = self._send("POST", f"/api/tools/{quote(tool, safe='')}", body)
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        if not response.ok:
            raise _tool_error(response.status_code, answer if isinstance(answer, dict) else {})
        if not isinstance(answer, dict):
            raise UnreachableError(f"the answer of {tool} is no JSON object")
        return answer

    def _send(self, method: str, path: str, body: bytes | None = None) -> requests.Response:
        """Ask; who is not let in did not change anything, so asking again with another token is safe."""
        response = self._request(method, path, body, self._credentials.header())
        if response.status_code == _UNAUTHORIZED and self._credentials.is_renewable:
            response = self._request(method, path, body, self._credentials.header(fresh=True))
        if response.status_code == _UNAUTHORIZED:
            raise self._credentials.refused(f"{self._base} wants a valid token (HTTP 401)")
        self._credentials.accepted()
        return response

    def _request(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> requests.Response:
        import requests  # noqa: PLC0415 - loaded when it is needed

        with requests.Session() as session:
            session.trust_env = self._trust_environment  # a local bridge is reached past any proxy
            try:
                return session.request(
                    method,
                    self._base + path,
                    data=body,
                    headers=headers if body is None else {**headers, "Content-Type": "application/json"},
                    auth=_unchanged,
                    timeout=self._timeouts,
                    verify=self._verify,
                    allow_redirects=False,
                )
            except requests.RequestException as error:
                raise unreachable(f"{method} {self._base}{path}", error) from error


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keep the headers as they are: otherwise a password in `~/.netrc` would take the place of the token."""
    return request


def _read(response: requests.Response, path: str, reader: Callable[[Any], _T]) -> _T:
    if not response.ok:
        raise UnreachableError(f"GET {path} failed: HTTP {response.status_code}: {response.text[:200]}")
    try:
        return reader(response.json())
    except (ValueError, RecursionError) as error:
        raise UnreachableError(f"GET {path} brought something else: {error}") from error


def _read_page(body: Any) -> Page:
    if not isinstance(body, dict) or not isinstance(body.get("events"), list):
        raise MalformedError("no object with events")
    epoch, head = body.get("epoch"), as_seq(body.get("head"))
    if head is None:
        raise MalformedError("no head")
    return Page(
        events=tuple(_read_events(body["events"])),
        next=Cursor.parse(body.get("next")),
        head=Cursor(epoch if isinstance(epoch, str) else None, head),
        gap=read_gap(body.get("gap")),
    )


def _read_events(envelopes: Iterable[Any]) -> Iterator[Event]:
    """Read what can be read: one strange event must not keep the rest from coming, now and at every later poll."""
    for envelope in envelopes:
        try:
            yield read_event(envelope)
        except MalformedError as error:
            _log.warning("an event of the bridge was ignored: %s", error)


def _tool_error(status: int, problem: Mapping[str, Any]) -> ToolError:
    field = problem.get("field")
    return ToolError(
        str(problem.get("detail") or problem.get("error") or f"HTTP {status}"),
        code=str(problem.get("code") or f"HTTP_{status}"),
        status=status,
        field=field if isinstance(field, str) else None,
        details={name: value for name, value in problem.items() if name not in _PROBLEM_MEMBERS},
    )
