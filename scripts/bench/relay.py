"""A TCP relay that counts: what goes through it is what is on the wire, without the headers of TCP and IP."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

__all__ = ["Relay", "relaying"]


class Relay:
    """Takes connections on a port of its own and pumps bytes to and from `target`, another port on this machine.

    The target is set before the first connection: a server may have to be told first which port it is reached by.
    """

    def __init__(self) -> None:
        self.target = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._is_closed = False
        self.port = int(self._listener.getsockname()[1])
        self.bytes = 0
        self.connections = 0
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Cut every connection; all threads are gone when this returns. Idempotent."""
        with self._lock:
            self._is_closed = True
            for sock in (self._listener, *self._open):
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                self._connect(client, server)

    def _connect(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            self._open |= {client, server}
            if self._is_closed:
                client.shutdown(socket.SHUT_RDWR)
            self._threads.append(threading.Thread(target=self._serve, args=(client, server), daemon=True))
            self._threads[-1].start()

    def _serve(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
                with self._lock:
                    self.bytes += len(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relaying() -> Iterator[Relay]:
    """Relay until the block ends."""
    relay = Relay()
    try:
        yield relay
    finally:
        relay.close()
