"""Archives of initiatives: what is in the file, and where it may lie."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import orjson
import pytest

from taskcopilot.errors import BridgeError, InvalidArgumentError, NotFoundError, StoreError
from taskcopilot.tools import archive_files
from taskcopilot.workspace import Workspace
from tests.helpers.bridge import Core, core
from tests.helpers.work import diary, execute, new_task


async def begin(bridge: Core, initiative: str = "A") -> str:
    """Link an initiative with a PRD, and return the PRD."""
    await bridge.call("initiative_link", initiativeId=initiative, title="Checkout", description="why")
    return str((await bridge.call("prd_create", title="Upgrade", content="# c"))["id"])


def read(path: str | Path) -> dict[str, Any]:
    """Return what an archive holds."""
    return dict(orjson.loads(Path(path).read_bytes()))


def look_at(path: Path) -> tuple[int, str, list[Path]]:
    """Return a file's mode and first two lines, and what lies in its directory."""
    with path.open() as file:
        return stat.S_IMODE(path.stat().st_mode), file.readline() + file.readline(), list(path.parent.iterdir())


async def test_the_default_file_is_named_after_initiative_and_time(tmp_path: Path) -> None:
    """The keys of the answer are those of the contract, in order."""
    async with core(tmp_path) as bridge:
        await begin(bridge)
        answer = await bridge.call("initiative_archive")
        assert list(answer.items()) == [
            ("initiativeId", "A"),
            ("archivePath", str(tmp_path / "archives" / "A_2026-01-08T12-00-00.json")),
            ("prdCount", 1),
            ("taskCount", 0),
            ("workProductCount", 0),
            ("archivedAt", "2026-01-08T12:00:00.000Z"),
        ]


async def test_the_file_holds_the_initiative_and_only_what_belongs_to_it(tmp_path: Path) -> None:
    """Subtasks without a PRD belong to it, archived tasks too; the original put every task of the database in."""
    async with core(tmp_path) as bridge:
        other = await begin(bridge, "Other")
        foreign = await new_task(bridge, "foreign", prdId=other)
        prd = await begin(bridge)
        top = await new_task(bridge, "top", prdId=prd, metadata={"streamId": "S", "files": ["ü"]})
        bridge.clock.advance(1)
        child = await new_task(bridge, "child", parentId=top, description="d", assignedAgent="me")
        await new_task(bridge, "no prd")
        for task in (foreign, child):
            await bridge.call(
                "work_product_store",
                taskId=task,
                type="other",
                title="w",
                content="c",
                confidence=0.5,
                metadata={"modelUsed": "opus"},
            )
        await execute(bridge, "UPDATE tasks SET archived = 1 WHERE id = ?", child)
        answer = await bridge.call("initiative_archive", initiativeId="A")
        archive = read(answer["archivePath"])
        assert list(archive) == [
            "version",
            "archivedAt",
            "initiative",
            "prds",
            "tasks",
            "workProducts",
            "activityLog",
        ]
        assert (archive["version"], archive["archivedAt"]) == ("1.0", "2026-01-08T12:00:01.000Z")
        assert archive["initiative"] == {"id": "A", "title": "Checkout", "description": "why"}
        assert [(p["id"], p["initiativeId"], p["content"], p["status"]) for p in archive["prds"]] == [
            (prd, "A", "# c", "active")
        ]
        assert [(t["id"], t["parentId"], t["archived"]) for t in archive["tasks"]] == [
            (top, None, False),
            (child, top, True),
        ]
        assert archive["tasks"][0]["metadata"] == {"streamId": "S", "files": ["ü"], "activationMode": None}
        (product,) = archive["workProducts"]
        assert (product["taskId"], product["confidence"], product["metadata"]["modelUsed"]) == (child, 0.5, "opus")
        assert sorted(row["type"] for row in archive["activityLog"]) == [
            "initiative_created",
            "prd_created",
            "task_created",
            "task_created",
        ]
        assert (answer["prdCount"], answer["taskCount"], answer["workProductCount"]) == (1, 2, 1)


async def test_the_file_is_pretty_and_its_owners_alone(tmp_path: Path) -> None:
    """0600, written beside its place and renamed: no temporary file is left."""
    async with core(tmp_path) as bridge:
        await begin(bridge)
        path = Path((await bridge.call("initiative_archive", archivePath="deep/er/a.json"))["archivePath"])
        assert path == tmp_path / "archives" / "deep" / "er" / "a.json"
        assert look_at(path) == (0o600, '{\n  "version": "1.0",\n', [path])


async def test_nothing_is_deleted_and_the_diary_says_where_the_file_is(tmp_path: Path) -> None:
    """Nor is anything told to clients: nothing changed for them."""
    async with core(tmp_path) as bridge:
        prd = await begin(bridge)
        await new_task(bridge, prdId=prd, metadata={"streamId": "S"})
        bridge.forget()
        answer = await bridge.call("initiative_archive")
        assert ("initiative_archived", "A", "initiative", f"Archived initiative to: {answer['archivePath']}") in (
            await diary(bridge, "A")
        )
        assert bridge.events == []
        assert (await bridge.call("prd_get", id=prd))["taskCount"] == 1


async def test_archives_of_the_same_second_do_not_replace_each_other(tmp_path: Path) -> None:
    """But one that the caller names does."""
    async with core(tmp_path) as bridge:
        await begin(bridge)
        names = [Path((await bridge.call("initiative_archive"))["archivePath"]).name for _ in range(3)]
        assert names == [f"A_2026-01-08T12-00-00{suffix}.json" for suffix in ("", "-2", "-3")]
        first = await bridge.call("initiative_archive", archivePath="mine.json")
        prds = len(read(first["archivePath"])["prds"])
        await bridge.call("prd_create", title="t", content="c")
        await bridge.call("initiative_archive", archivePath="mine.json")
        assert len(read(first["archivePath"])["prds"]) == prds + 1


@pytest.mark.parametrize(
    ("initiative", "name"),
    [
        ("team/q1/../x", "team_q1_.._x"),
        ("..", "_"),
        (".hidden", "hidden"),
        ("ünï 😀", "_n___"),
        ("$(id)", "__id_"),
        ("x" * 200, "x" * 150),
    ],
)
async def test_an_id_that_is_no_file_name_is_made_one(tmp_path: Path, initiative: str, name: str) -> None:
    """Ids of initiatives are any text, slashes included."""
    async with core(tmp_path) as bridge:
        await begin(bridge, initiative)
        path = Path((await bridge.call("initiative_archive"))["archivePath"])
        assert path == tmp_path / "archives" / f"{name}_2026-01-08T12-00-00.json"
        assert read(path)["initiative"]["id"] == initiative


async def test_an_absolute_path_inside_of_the_archives_is_taken(tmp_path: Path) -> None:
    """The answer of one call can be the argument of the next."""
    async with core(tmp_path) as bridge:
        await begin(bridge)
        path = (await bridge.call("initiative_archive"))["archivePath"]
        assert (await bridge.call("initiative_archive", archivePath=path))["archivePath"] == path


@pytest.mark.parametrize(
    "given",
    [
        "../out.json",
        "a/../../out.json",
        "{tmp}/out.json",
        "/etc/passwd",
        "~/out.json",
        "~nobody-of-this-name/out.json",
        "link/out.json",
        "file-link.json",
        "loop/out.json",
        ".",
        "",
        "dir",
        "new/",
        "{tmp}/archives",
        "{tmp}/archives-of-others/out.json",
        "nul\0.json",
        "a-file/out.json",
        "x" * 300 + ".json",
    ],
)
async def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, given: str) -> None:
    """By `..`, by name, or through symbolic links; nothing is written or noted."""
    archives = tmp_path / "archives"
    (archives / "dir").mkdir(parents=True)
    (archives / "a-file").touch()
    (archives / "link").symlink_to(tmp_path)
    (archives / "file-link.json").symlink_to(tmp_path / "out.json")
    (archives / "loop").symlink_to(archives / "loop")
    async with core(tmp_path) as bridge:
        await begin(bridge)
        before = await diary(bridge, "A")
        with pytest.raises(InvalidArgumentError) as refused:
            await bridge.call("initiative_archive", archivePath=given.replace("{tmp}", str(tmp_path)))
        assert refused.value.field == "archivePath"
        assert not (tmp_path / "out.json").exists()
        assert await diary(bridge, "A") == before


def test_the_directory_of_the_database_is_no_place_for_archives(tmp_path: Path) -> None:
    """A workspace may be called `archives`."""
    workspace = Workspace("archives", tmp_path / "archives" / "tasks.db", tmp_path / "archives")
    with pytest.raises(InvalidArgumentError):
        archive_files.locate(workspace, "tasks.db")


async def test_archives_below_a_symbolic_link_are_where_the_link_leads(tmp_path: Path) -> None:
    """A user may keep the archives on another disk."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "archives").symlink_to(tmp_path / "elsewhere")
    async with core(tmp_path) as bridge:
        await begin(bridge)
        answer = await bridge.call("initiative_archive", archivePath=str(tmp_path / "archives" / "a.json"))
        assert answer["archivePath"] == str(tmp_path / "elsewhere" / "a.json")


@pytest.mark.parametrize(
    ("problem", "kind"), [(28, "STORE_FULL"), (36, "INVALID_ARGUMENT"), (13, "STORE_ERROR"), (5, "STORE_ERROR")]
)
async def test_a_disk_that_refuses_the_file_is_told_apart_from_a_bad_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: int, kind: str
) -> None:
    """The diary does not tell of a file that is not there, and no half a file is left."""

    def refuse(_descriptor: int) -> None:
        raise OSError(problem, "refused")

    async with core(tmp_path) as bridge:
        await begin(bridge)
        before = await diary(bridge, "A")
        monkeypatch.setattr(archive_files.os, "fsync", refuse)
        with pytest.raises(BridgeError) as refused:
            await bridge.call("initiative_archive")
        assert refused.value.code == kind
        assert list((tmp_path / "archives").iterdir()) == []
        assert await diary(bridge, "A") == before


async def test_a_directory_of_archives_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    """And not a crash."""
    (tmp_path / "archives").touch()
    async with core(tmp_path) as bridge:
        await begin(bridge)
        with pytest.raises((InvalidArgumentError, StoreError)):
            await bridge.call("initiative_archive")


async def test_an_unknown_initiative_or_none_names_the_field(tmp_path: Path) -> None:
    """NOT_FOUND, field initiativeId; no directory is made."""
    async with core(tmp_path) as bridge:
        for arguments in ({}, {"initiativeId": "nowhere"}):
            with pytest.raises(NotFoundError) as refused:
                await bridge.call("initiative_archive", **arguments)
            assert refused.value.field == "initiativeId"
        assert not (tmp_path / "archives").exists()


async def test_a_repeated_key_writes_one_file(tmp_path: Path) -> None:
    """H6."""
    async with core(tmp_path) as bridge:
        await begin(bridge)
        first = await bridge.call("initiative_archive", idempotencyKey="k")
        assert await bridge.call("initiative_archive", idempotencyKey="k") == first
        assert len(list((tmp_path / "archives").iterdir())) == 1
