"""Files of a bridge: for their owner only, whatever the umask, and the same ones through a link."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import requests

from tests.helpers.processes import Running, bridge, running

OPEN_TO_ALL = "import os; os.umask(0); from taskcopilot.cli import main; main()"


def modes(directory: Path) -> dict[str, int]:
    """Return the rights of everything below a directory, and its own, by name."""
    return {
        str(path.relative_to(directory)): stat.S_IMODE(path.stat().st_mode)
        for path in (directory, *directory.rglob("*"))
    }


def work(process: Running) -> None:
    """Change something, and archive it into a file."""
    url = json.loads(process.out.next())["url"]
    for tool, arguments in (
        ("initiative_link", {"initiativeId": "I", "title": "t"}),
        ("task_create", {"title": "secret"}),
        ("initiative_archive", {}),
    ):
        assert requests.post(f"{url}/api/tools/{tool}", json=arguments, timeout=20).ok


@pytest.mark.parametrize("options", [(), ("--tls-self-signed",)], ids=["plain", "TLS"])
def test_nobody_else_can_read_what_a_bridge_writes(tmp_path: Path, options: tuple[str, ...]) -> None:
    """With umask 000: files 0600, directories 0700; database, WAL, locks, archives and keys."""
    arguments = ("serve", "--json", "--port", "0", "--db", "made/here/tasks.db", *options)
    with running(tmp_path, *arguments, code=OPEN_TO_ALL) as process:
        if options:
            process.out.next()
        else:
            work(process)
        found = modes(tmp_path / "made")
        assert process.stop()[0] == 0
    found |= modes(tmp_path / "made")
    names = {Path(name).suffix for name in found}
    assert names >= ({".pem"} if options else {".db", ".db-wal", ".json"})
    assert found
    for name, mode in found.items():
        public = name.endswith("certificate.pem")
        is_directory = (tmp_path / "made" / name).is_dir()
        assert mode == (0o700 if is_directory else 0o600) or (public and mode == 0o644), (name, oct(mode))


def test_a_link_and_its_target_are_one_database(tmp_path: Path) -> None:
    """The WAL and the locks stand beside the file itself, so that two names never are two logs of one file."""
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").mkdir()
    link = tmp_path / "linked" / "tasks.db"
    link.symlink_to(tmp_path / "real" / "tasks.db")
    with (
        bridge(tmp_path, "--db", str(link)) as (_, one),
        bridge(tmp_path, "--db", str(tmp_path / "real" / "tasks.db")) as (_, other),
    ):
        requests.post(f"{one['url']}/api/tools/task_create", json={"title": "x"}, timeout=20).raise_for_status()
        assert requests.get(f"{other['url']}/health", timeout=20).json()["epoch"] == one["epoch"]
        (task,) = requests.post(f"{other['url']}/api/tools/task_list", json={}, timeout=20).json()
        assert task["title"] == "x"
        assert [path.name for path in link.parent.iterdir()] == ["tasks.db"]
        assert (tmp_path / "real" / "tasks.db-wal").exists()
