"""What a process holds, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

MIB = 1 << 20


def private_memory(pid: int) -> int:
    """Return the bytes of memory that only this process has."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def open_sockets(pid: int) -> int:
    """Return how many sockets the process has open."""
    links = [_target(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
    return sum(link.startswith("socket:") for link in links)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:  # closed since
        return ""
