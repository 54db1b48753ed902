"""Events over a WebSocket: the shell around a session. Opens sockets, pumps frames, notices silence.

`websocket-client` does the framing only; its reconnecting, its close codes and its UTF-8 check are not used.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import socket
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from task_copilot_client.address import Address
from task_copilot_client.clock import Clock
from task_copilot_client.credentials import Credentials
from task_copilot_client.errors import AuthenticationError
from task_copilot_client.feed import Feed
from task_copilot_client.machine import Outcome
from task_copilot_client.session import Session
from task_copilot_client.signals import Signals

if TYPE_CHECKING:
    import ssl

    from websocket import WebSocket

__all__ = ["WebSocketSource"]

_log: Final = logging.getLogger("task_copilot_client")

SILENT_INTERVALS: Final = 2.5
"""Ping intervals without a byte after which the peer counts as gone: two pings, and half an interval for delays."""

CLOSE_TIMEOUT: Final = 1.0
"""Seconds that the bridge gets to take part in the closing handshake."""

_TEXT, _BINARY, _CLOSE = 1, 2, 8


_UNAUTHORIZED: Final = 401
_TOKEN_ENDED: Final = 4401


class _LostError(Exception):
    """The connection has ended, whoever ended it; the text says how."""


class _RefusedError(_LostError):
    """It has ended for our token."""


class WebSocketSource:
    """One WebSocket at a time. Used by the connection thread only.

    Every wait is bounded: a connect or a half-read frame by `timeout`, silence by the ping interval.
    """

    def __init__(
        self,
        address: Address,
        credentials: Credentials,
        feed: Feed,
        clock: Clock,
        *,
        timeout: float,
        ping_interval: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` checks the certificate of an address that is secure."""
        self._tls = tls
        self._address = address
        self._credentials = credentials
        self._feed = feed
        self._clock = clock
        self._timeout = timeout
        self._patience = SILENT_INTERVALS * ping_interval
        self._numbers = itertools.count(1)
        self._socket: WebSocket | None = None

    def open(self) -> Outcome:
        """Connect and upgrade: OPENED, or REFUSED with the reason in the log."""
        try:
            self._socket = _connect(self._address, self._credentials.header(fresh=True), self._timeout, self._tls)
        except ImportError:
            _log.warning("websocket-client is not installed: polling over HTTP only")
        except (AuthenticationError, _LostError) as error:
            self._note(error)
            _log.debug("no WebSocket at %s: %s", self._address.ws_url, error)
        else:
            self._credentials.accepted()
            _log.info("WebSocket connected to %s", self._address.ws_url)
            return Outcome.OPENED
        return Outcome.REFUSED

    def listen(self, signals: Signals) -> Outcome:
        """Converse until the connection ends, has to begin anew, or we are stopping; then close the socket."""
        session = Session(self._feed, self._numbers, self._clock.timestamp, self._credentials.fresh)
        try:
            return self._converse(session, signals)
        except _LostError as error:
            self._note(error)
            _log.warning("WebSocket lost: %s", error)
            return Outcome.LOST if session.heard else Outcome.DROPPED
        finally:
            self.close()

    def _note(self, error: Exception) -> None:
        if isinstance(error, _RefusedError):
            self._credentials.refused(f"{self._address.ws_url} wants a valid token ({error})")

    def _converse(self, session: Session, signals: Signals) -> Outcome:
        if self._socket is None:
            raise _LostError("it was never open")
        pump = _Pump(self._socket, signals, self._clock, self._patience)
        while not signals.stopping():
            for request in session.requests():
                pump.send(request)
            if session.needs_restart:
                return Outcome.RESTART
            if session.is_settled:
                signals.settled()
            frame = pump.next_frame()
            for answer in session.receive(frame) if frame is not None else ():
                pump.send(answer)
        return Outcome.STOPPED

    def close(self) -> None:
        """Close the socket if there is one; a peer that still answers takes part, for CLOSE_TIMEOUT at most."""
        used, self._socket = self._socket, None
        if used is not None:
            used.close(timeout=CLOSE_TIMEOUT)
            _discard(used)


class _Pump:
    """Moves frames between one socket and a session."""

    def __init__(self, used: WebSocket, signals: Signals, clock: Clock, patience: float) -> None:
        self._used = used
        self._signals = signals
        self._clock = clock
        self._patience = patience
        self._heard_at = clock.monotonic()

    def send(self, text: str) -> None:
        """Send a text frame; waits for a peer that does not read no longer than the socket's timeout."""
        with _losses():
            self._used.send(text)

    def next_frame(self) -> bytes | None:
        """Wait for a frame; None when the bell rang, or a frame came that carries no message."""
        if self._signals.is_full():
            self._signals.bell.wait(self._patience)
            self._heard_at = self._clock.monotonic()  # that nothing was heard is not the peer's fault
            return None
        left = self._heard_at + self._patience - self._clock.monotonic()
        if left <= 0:
            _discard(self._used)  # nobody is there to say goodbye to
            raise _LostError(f"nothing was heard for {self._patience:g} s")
        return self._receive() if self._is_readable(left) else None

    def _is_readable(self, seconds: float) -> bool:
        sock = self._used.sock
        if not isinstance(sock, socket.socket):
            raise _LostError("the socket is gone")
        decrypted = getattr(sock, "pending", None)  # TLS reads ahead
        return bool(decrypted and decrypted()) or self._signals.bell.wait(seconds, sock)

    def _receive(self) -> bytes | None:
        with _losses():
            opcode, data = self._used.recv_data(control_frame=True)
        self._heard_at = self._clock.monotonic()
        if opcode == _CLOSE:
            code = int.from_bytes(data[:2], "big")
            kind = _RefusedError if code == _TOKEN_ENDED else _LostError
            raise kind(f"the bridge closed it ({f'code {code}' if len(data) > 1 else 'no code'})")
        return bytes(data) if opcode in (_TEXT, _BINARY) else None


def _connect(address: Address, header: dict[str, str], timeout: float, tls: ssl.SSLContext | None) -> WebSocket:
    """Open a WebSocket: no Origin, no redirects, certificates checked."""
    import websocket  # noqa: PLC0415 - loaded when it is needed

    options: dict[str, Any] = {
        "header": header,
        "suppress_origin": True,
        "skip_utf8_validation": True,
        "redirect_limit": 0,
    }
    if tls is not None:
        options["sslopt"] = {"context": tls}
    with _losses():
        if address.is_local:
            options["socket"] = _direct(address, timeout, tls)
        return websocket.create_connection(address.ws_url, timeout=timeout, **options)


def _direct(address: Address, timeout: float, tls: ssl.SSLContext | None) -> socket.socket:
    """Connect to a bridge on this machine by ourselves: websocket-client would ask the proxy of the environment."""
    used = socket.create_connection((address.host, address.port), timeout=timeout)
    used.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls is None:
        return used
    try:
        return tls.wrap_socket(used, server_hostname=address.host)
    except BaseException:
        used.close()
        raise


@contextlib.contextmanager
def _losses() -> Iterator[None]:
    """Turn whatever websocket-client raises when a connection fails into _LostError."""
    from websocket import WebSocketBadStatusException, WebSocketException  # noqa: PLC0415

    try:
        yield
    except WebSocketBadStatusException as error:
        kind = _RefusedError if error.status_code == _UNAUTHORIZED else _LostError
        raise kind(f"HTTP {error.status_code}") from error
    except (OSError, WebSocketException, ValueError, struct.error) as error:
        raise _LostError(f"{type(error).__name__}: {error}") from error


def _discard(used: Any) -> None:
    """Give the file descriptor back, whatever state the conversation is in."""
    used.shutdown()
