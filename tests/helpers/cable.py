"""A network cable between this machine and another, made of a network namespace; it can be pulled. Linux and root."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

CLONE_NEWNET = 0x40000000


class Cable:
    """Plugged in. `here` is our address on it."""

    def __init__(self, name: str, network: str) -> None:
        self._name = name
        self.here = f"{network}.1"
        ip("netns", "add", name)
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{self.here}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "addr", "add", f"{network}.2/30", "dev", "eth0")
        self.plug_in()

    def plug_in(self) -> None:
        """Let packets pass."""
        ip("-n", self._name, "link", "set", "eth0", "up")

    def pull(self) -> None:
        """Let no packet pass in either direction; nobody is told."""
        ip("-n", self._name, "link", "set", "eth0", "down")

    def there(self, work: Callable[[], T]) -> T:
        """Do something at the other end: sockets that it opens, and threads that it starts, are there for good."""
        with ThreadPoolExecutor(1) as other:
            return other.submit(self._move, work).result()

    def _move(self, work: Callable[[], T]) -> T:
        with Path("/run/netns", self._name).open("rb") as namespace:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return work()


def ip(*arguments: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextlib.contextmanager
def cable() -> Iterator[Cable]:
    """Lay a cable for the length of the block; skip the test where that is not allowed."""
    name = f"bridge{os.getpid()}"
    if shutil.which("ip") is None:
        pytest.skip("needs the command `ip` of iproute2")
    try:
        yield _lay(name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _lay(name: str) -> Cable:
    try:
        return Cable(name, f"10.213.{os.getpid() % 250}")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"needs the right to make network namespaces: {error.stderr.strip()}")
