"""The token that a client shows the bridge, and whether it was taken."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from typing import Final

from task_copilot_client.errors import AuthenticationError

__all__ = ["VARIABLE", "Credentials", "TokenSource"]

_log: Final = logging.getLogger("task_copilot_client")

VARIABLE: Final = "TASKCOPILOT_TOKEN"
"""The variable of the environment that holds the token of who gives none."""

TokenSource = str | Callable[[], str] | None
"""A token, or a function that returns one that is good now."""

_FORM: Final = re.compile(r"[!-~]+", re.ASCII)


class Credentials:
    """What to show with each request and connection. Any thread; a function is called by one at a time.

    A function is called before the first request, for each new WebSocket, and again when its token was refused. The
    token is in no message of an error and in no line of the log.
    """

    def __init__(self, token: TokenSource = None) -> None:
        """Take a token or a function, or else what the environment holds; ValueError for what can be no token."""
        source = token if token is not None else os.environ.get(VARIABLE) or None
        self._renew = source if callable(source) else None
        self._token = None if source is None or callable(source) else _checked(source)
        self._lock = threading.Lock()
        self.refusal: AuthenticationError | None = None
        """Why the bridge does not let us in; None once it did."""

    @property
    def is_renewable(self) -> bool:
        """True when another token may be had for one that is refused."""
        return self._renew is not None

    def header(self, *, fresh: bool = False) -> dict[str, str]:
        """Return the header to send, none without a token; `fresh` asks the function again where there is one.

        Raises AuthenticationError when the function raises, or returns what can be no token.
        """
        with self._lock:
            if self._renew is not None and (fresh or self._token is None):
                self._token = self._ask(self._renew)
            return {} if self._token is None else {"Authorization": f"Bearer {self._token}"}

    def fresh(self) -> str | None:
        """Ask the function for a token; None where there is none, or it fails."""
        if self._renew is None:
            return None
        try:
            self.header(fresh=True)
        except AuthenticationError:
            return None
        return self._token

    def _ask(self, renew: Callable[[], str]) -> str:
        try:
            return _checked(renew())
        except Exception as error:
            raise self.refused(f"no token: {type(error).__name__} from the function that is to return it") from error

    def refused(self, message: str) -> AuthenticationError:
        """Take note that the bridge wants another token, and return the error; the first in a row is logged."""
        level = logging.DEBUG if self.refusal else logging.WARNING
        self.refusal = AuthenticationError(message)
        _log.log(level, "%s", message)
        return self.refusal

    def accepted(self) -> None:
        """Take note that the bridge let us in."""
        self.refusal = None


def _checked(token: object) -> str:
    if not isinstance(token, str) or not _FORM.fullmatch(token):
        raise ValueError("token: expected printable ASCII without spaces")
    return token
