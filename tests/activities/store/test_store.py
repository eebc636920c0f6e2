"""What one activity keeps, another has, on whichever worker."""

import json
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from activities.acquire import AcquireRequest, acquire
from activities.cleanup import CleanUpRequest, clean_up
from activities.errors import EncodingError, LostError, PublishingError
from activities.mappings import MediaMappings
from activities.settings import Settings
from activities.storage.base import StorageError
from activities.storage.config import AmazonS3Location
from activities.storage.s3.storage import S3Storage
from activities.store import scratch
from activities.store.abandoned import kept_jobs, last_written
from activities.store.work import Work, at_work, emptied, usable_store
from activities.workspace import attempt_folder
from tests.activities.running import JOB_ID, Running, location
from tests.activities.storage.doing import Place
from tests.activities.store.conftest import Disk, Lose, give_bucket
from tests.servers.s3 import S3, Identity

Do = Callable[[Work], Awaitable[Any]]


async def working(do: Do, *, job: str = JOB_ID, attempt: int = 1, **announced: Any) -> Any:
    """An activity that does something with the files of its job."""

    async def activity(_: None) -> Any:
        async with at_work(job, **announced) as work:
            return await do(work)

    running = Running()
    running.environment.info = replace(running.environment.info, attempt=attempt)
    return await running(activity, None)


def keeping(files: dict[str, bytes], unit: str, **more: Any) -> Do:
    async def do(work: Work) -> None:
        for name, data in files.items():
            (work.root / name).parent.mkdir(parents=True, exist_ok=True)
            (work.root / name).write_bytes(data)
        await work.keep(unit, **more)

    return do


async def contents(work: Work) -> dict[str, bytes]:
    files = (path.relative_to(work.root) for path in work.root.rglob("[!.]*") if path.is_file())
    return {str(path): (work.root / path).read_bytes() for path in files if path.parts[0] != NOTES}


def objects(bucket: Place) -> list[str]:
    """Names below the job's folder."""
    return [name.removeprefix(f"{JOB_ID}/") for name in bucket.names()]


NOTES = "kept"
MADE = {"made-1/a.bin": b"a", "made-1/sub/b.bin": os.urandom(9_000_000), "made-1/empty": b""}


async def test_what_one_worker_keeps_another_has(store: Disk) -> None:
    store("one")
    await working(keeping(MADE, "made-1"))
    store("two")
    assert await working(contents, needs=["made-1"]) == MADE


async def test_a_kept_folder_can_be_had_beside_what_another_worker_adds(store: Disk) -> None:
    store("one")
    await working(keeping({"made-1/a": b"old", "made-1/b": b"b"}, "made-1"))
    store("two")

    async def add(work: Work) -> None:
        for name, data in {"new-1/a": b"new", "new-1/c": b"c"}.items():
            (work.root / name).parent.mkdir(parents=True, exist_ok=True)
            (work.root / name).write_bytes(data)
        if (work.root / "made-1/b").exists():  # a folder of files that nobody has to fetch
            os.link(work.root / "made-1/b", work.root / "new-1/b")
        await work.keep("new-1", beside="made-1")

    await working(add, needs=["made-1/a"])
    store("three")
    found = await working(contents, needs=["new-1"])
    assert {name: found[name] for name in ("new-1/a", "new-1/b", "new-1/c")} == {
        "new-1/a": b"new",
        "new-1/b": b"b",
        "new-1/c": b"c",
    }


async def test_what_is_missing_is_told_by_its_paths(store: Disk) -> None:
    store("one")
    await working(keeping({"made-1/a": b"a"}, "made-1"))
    with pytest.raises(LostError) as caught:
        await working(contents, needs=["made-1/a", "made-1/b", "made-2"])
    assert caught.value.lost == ["made-1/b", "made-2"]


async def test_at_the_end_nothing_of_the_job_is_left(store: Disk) -> None:
    other = str(uuid4())
    disk = store("one")
    await working(keeping(MADE, "made-1"))
    await working(keeping({"made-1/a": b"of another job"}, "made-1"), job=other)
    await emptied(JOB_ID)
    with pytest.raises(LostError):
        await working(contents, needs=["made-1/a"])
    assert not [path for path in disk.rglob("*") if path.is_file() and other not in str(path)]
    assert await working(contents, needs=["made-1/a"], job=other) == {"made-1/a": b"of another job"}


async def test_who_has_files_in_the_store_and_since_when_is_known(store: Disk) -> None:
    store("one")
    since = time.time() - 2  # stores have times of whole seconds, at times those of a second ago
    await working(keeping(MADE, "made-1"))
    settings = Settings.from_environment()
    assert await kept_jobs(settings) == [JOB_ID]
    assert since < await last_written(settings, JOB_ID) < time.time() + 2
    assert await last_written(settings, str(uuid4())) == 0


async def test_no_attempt_replaces_what_another_has_kept(store: Disk) -> None:
    """A late one has a folder of its own."""
    store("late")

    async def keep(work: Work) -> str:
        folder = attempt_folder("made")
        await keeping({f"{folder}/a": folder.encode()}, folder)(work)
        return folder

    folders = [await working(keep, attempt=number) for number in (2, 1)]
    store("next")
    for folder in folders:
        assert (await working(contents, needs=[folder]))[f"{folder}/a"] == folder.encode()


async def test_a_file_that_is_kept_again_is_had_as_it_is_now(bucket: Place, worker: Disk) -> None:
    """As the notes of an upload that other attempts go on with."""
    assert bucket.names() == []
    for number, name in enumerate(("one", "two", "three")):
        worker(name)
        found = await working(contents, wishes=["made-1/notes"])
        assert found == ({"made-1/notes": str(number).encode()} if number else {})
        await working(keeping({"made-1/notes": str(number + 1).encode()}, "made-1/notes"))


async def test_only_what_is_needed_is_fetched(bucket: Place, worker: Disk) -> None:
    worker("one")
    await working(keeping(MADE, "made-1"))
    worker("two")
    assert await working(contents, needs=["made-1/a.bin"]) == {"made-1/a.bin": b"a"}
    assert bucket.names()


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


async def test_a_workspace_that_stays_is_told(root: Path, monkeypatch: pytest.MonkeyPatch, read_only: Path) -> None:
    assert root.is_dir()
    remount(read_only, "rw")
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(read_only))
    await working(keeping({"made-1/a": b"a"}, "made-1"))
    remount(read_only, "ro")
    with pytest.raises(StorageError, match="read-only"):
        await emptied(JOB_ID)
    with pytest.raises(PublishingError, match=r"files stay: .*read-only") as caught:
        await Running()(clean_up, CleanUpRequest(JOB_ID, location(root), []))
    assert caught.value.retryable


async def test_a_worker_keeps_nothing_of_what_is_done(bucket: Place, worker: Disk) -> None:
    disk = worker("one")
    await working(keeping(MADE, "made-1"))
    await working(contents, needs=["made-1"])
    assert bucket.names()
    assert not [*disk.iterdir()]


@pytest.mark.parametrize("damage", [None, b"", b"b", b"xx"], ids=["deleted", "emptied", "shorter", "changed"])
async def test_what_is_damaged_in_the_bucket_is_lost(lose: Lose, worker: Disk, damage: bytes | None) -> None:
    worker("one")
    await working(keeping({"made-1/a": b"a", "made-1/b": b"bb"}, "made-1"))
    lose("made-1/b", damage)
    with pytest.raises(LostError) as caught:
        await working(contents, needs=["made-1"])
    assert caught.value.lost == ["made-1/b"]
    assert not caught.value.retryable


async def test_a_forged_note_leads_nowhere_else(bucket: Place, worker: Disk) -> None:
    worker("one")
    bucket.put("secret", b"of another job")
    file = {"object": "../secret", "size": 14, "sha256": "00" * 32}
    note = json.dumps({"files": {"made-1/a": file}, "source": ""}).encode()
    bucket.put(f"{JOB_ID}/kept/made-1.json", note)
    with pytest.raises(LostError):
        await working(contents, needs=["made-1/a"])


async def test_no_path_leaves_the_job(bucket: Place, worker: Disk) -> None:
    worker("one")
    assert bucket.names() == []
    with pytest.raises(EncodingError, match="does not name a file"):
        await working(contents, needs=["../other/a"])


async def test_what_was_not_kept_to_its_end_is_not_there(bucket: Place, worker: Disk) -> None:
    """The note is written last."""
    worker("one")
    bucket.put(f"{JOB_ID}/made-1/a", b"a")
    with pytest.raises(LostError):
        await working(contents, needs=["made-1/a"])


async def test_unfinished_uploads_are_taken_back_at_the_end(bucket: Place, worker: Disk, s3: S3) -> None:
    worker("one")
    prefix = os.environ["ENCODING_WORK_STORE"].removeprefix(f"s3://{s3.bucket}/")
    s3.client.create_multipart_upload(Bucket=s3.bucket, Key=f"{prefix}/{JOB_ID}/made-1/b")
    assert bucket.names() == []
    await emptied(JOB_ID)
    assert not s3.client.list_multipart_uploads(Bucket=s3.bucket, Prefix=f"{prefix}/").get("Uploads")


async def test_another_attempt_on_another_worker_copies_only_what_is_missing(
    bucket: Place, worker: Disk, root: Path
) -> None:
    for name in ("a.mp4", "b.mp4"):
        (root / name).write_text(name)
    request = AcquireRequest(JOB_ID, location(root), MediaMappings())
    worker("one")
    first = await Running()(acquire, request)
    s3_names = objects(bucket)
    assert {"source/0001.mp4", "source/0002.mp4"} < {*s3_names}
    bucket.put(f"{JOB_ID}/kept/source/0002.mp4.json", b"not written yet")
    bucket.put(f"{JOB_ID}/source/0001.mp4", b"stays")
    worker("two")
    running = Running()
    assert await running(acquire, request) == first
    assert bucket.get(f"{JOB_ID}/source/0001.mp4") == b"stays"
    assert running.beats[-1].share == 1
    assert not first.files[0].linked


async def test_scratch_stays_for_another_attempt_and_goes_in_time(
    bucket: Place, worker: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = worker("one")
    assert bucket.names() == []

    async def fail(work: Work) -> None:
        (work.root / "half").touch()
        raise EncodingError("busy", retryable=True)

    with pytest.raises(EncodingError):
        await working(fail)
    (left,) = (disk / JOB_ID).iterdir()
    assert (left / "half").exists()
    scratch.sweep(disk)
    assert left.exists()
    monkeypatch.setattr(scratch, "FORGOTTEN", -1.0)
    scratch.sweep(disk)
    assert not [*disk.iterdir()]


STRANGER = Identity((), "nobody", "nobody's-secret")


@pytest.mark.parametrize(
    ("who", "reason"),
    [(S3.reader, "permission denied"), (S3.writer, "permission denied"), (STRANGER, "correct AWS_ACCESS_KEY_ID")],
)
async def test_a_worker_that_cannot_use_its_store_says_so_at_its_start(
    s3: S3, root: Path, monkeypatch: pytest.MonkeyPatch, who: Identity, reason: str
) -> None:
    assert root.is_dir()
    give_bucket(monkeypatch, s3, "work", who)
    with pytest.raises(RuntimeError, match=rf"ENCODING_WORK_STORE cannot be used: .*{reason}"):
        async with usable_store(Settings.from_environment()):
            pass


async def test_an_endpoint_that_is_none_is_named(s3: S3, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert root.is_dir()
    give_bucket(monkeypatch, s3, "work")
    monkeypatch.setenv("ENCODING_WORK_STORE_ENDPOINT", "minio:9000")
    with pytest.raises(RuntimeError, match="ENCODING_WORK_STORE_ENDPOINT is 'minio:9000'"):
        async with usable_store(Settings.from_environment()):
            pass


async def test_a_work_root_that_cannot_be_used_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "file").touch()
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(root / "file"))
    with pytest.raises(RuntimeError, match="ENCODING_WORK_ROOT"):
        async with usable_store(Settings.from_environment()):
            pass


@pytest.mark.parametrize(("cores", "slots"), [(1, 2), (4, 2), (12, 6)])
def test_encoders_follow_the_cores(monkeypatch: pytest.MonkeyPatch, cores: int, slots: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    assert Settings.from_environment().transcode_slots == slots


async def test_a_worker_leaves_nothing_when_it_looks_at_its_store(bucket: Place) -> None:
    async with usable_store(Settings.from_environment()):
        assert bucket.names() == []


@pytest.mark.parametrize("text", ["bucket/folder", "s3://", "https://bucket.example/folder", "s3://bucket/a b"])
def test_a_store_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("ENCODING_WORK_STORE", text)
    with pytest.raises(ValueError, match="ENCODING_WORK_STORE"):
        Settings.from_environment()


def test_the_store_of_the_worker_is_not_that_of_the_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that names Amazon must not end at the service that the worker's variables name."""
    monkeypatch.setenv("ENCODING_WORK_STORE_ENDPOINT", "http://127.0.0.1:9")
    there = {"provider": "AmazonS3", "uri_path": "https://media.s3.eu-west-1.amazonaws.com/in/"}
    job = AmazonS3Location.model_validate(there | {"credentials_name": "key", "credentials_secret": "secret"})
    assert S3Storage(job)._client.meta.endpoint_url == "https://s3.eu-west-1.amazonaws.com"


@pytest.mark.parametrize("damage", [None, b"", b"b", b"xx"], ids=["deleted", "emptied", "shorter", "changed"])
async def test_what_is_damaged_in_the_folder_is_lost(
    root: Path, monkeypatch: pytest.MonkeyPatch, damage: bytes | None
) -> None:
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(root.parent / "common"))
    await working(keeping({"made-1/a": b"a", "made-1/b": b"bb"}, "made-1"))
    damaged = root.parent / "common" / JOB_ID / "made-1/b"
    damaged.unlink()
    if damage is not None:
        damaged.write_bytes(damage)
    with pytest.raises(LostError) as caught:
        await working(contents, needs=["made-1"])
    assert caught.value.lost == ["made-1/b"]
    assert caught.value.retryable, "another worker may see more of a file system of the network"


async def test_what_nobody_has_noted_only_has_to_be_there(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As what a worker of an older version has left."""
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(root.parent / "common"))
    await working(keeping({"made-1/a": b"a"}, "made-1"))
    (root.parent / "common" / JOB_ID / NOTES / "made-1.json").write_text("damaged")
    assert await working(contents, needs=["made-1/a"]) == {"made-1/a": b"a"}


async def test_a_job_of_which_nothing_but_a_begun_upload_is_left_is_found(bucket: Place, worker: Disk, s3: S3) -> None:
    worker("one")
    prefix = os.environ["ENCODING_WORK_STORE"].removeprefix(f"s3://{s3.bucket}/")
    since = time.time() - 2
    s3.client.create_multipart_upload(Bucket=s3.bucket, Key=f"{prefix}/{JOB_ID}/made-1/b")
    settings = Settings.from_environment()
    assert bucket.names() == []
    assert await kept_jobs(settings) == [JOB_ID]
    assert since < await last_written(settings, JOB_ID) < time.time() + 2
    await emptied(JOB_ID)
    assert await kept_jobs(settings) == []
