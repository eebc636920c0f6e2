import os
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities import deliver as module
from activities import server
from activities.acquire import AcquireRequest, acquire
from activities.archive import places_of
from activities.cleanup import CleanUpRequest, DeleteSourceRequest, clean_up, delete_source
from activities.deliver import Delivered, Sent, deliver, send_media
from activities.errors import ErrorCode, LostError, PublishingError
from activities.mappings import MediaMappings
from activities.storage import patience, storage_of
from activities.storage.config import S3CompatibleLocation
from activities.store.claims import claims_of
from tests.activities.delivering import OUTPUT, files, request
from tests.activities.running import JOB_ID, Running, location
from tests.servers.ports import free_ports
from tests.servers.temporal import TemporalServer


async def test_everything_arrives_with_its_links(root: Path, packaged: Path) -> None:
    running = Running()
    result = await running(deliver, request(root / "out"))
    size = sum((packaged / name).stat().st_size for name in files(packaged))
    link = f"file://{root}/out/manifest.m3u8"
    assert result == Delivered(f"file://{root}/out", 12, size, {"hls": link})
    assert files(root / "out") == files(packaged)
    assert (root / "out" / "video" / "7.m4s").read_text() == "video/7.m4s"
    assert running.beats[-1].done == running.beats[-1].total == size


async def test_one_archive_holds_everything_and_replaces_what_lay_there_loose(root: Path, packaged: Path) -> None:
    for name in ("manifest.m3u8", "video/0.m4s", "video/10.m4s"):
        (root / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "out" / name).write_text("of an older title")
    running, asked = Running(), request(root / "out")
    result = await running(deliver, replace(asked, output=replace(OUTPUT, archiving="SingleTar")))
    assert files(root / "out") == ["hls.tar"]
    size = (root / "out/hls.tar").stat().st_size
    assert result == Delivered(f"file://{root}/out", 1, size, {"hls": f"file://{root}/out/hls.tar"})
    assert running.beats[-1].done == running.beats[-1].total == size
    with tarfile.open(root / "out/hls.tar") as archive:
        assert archive.getnames() == [*OUTPUT.media, *OUTPUT.manifests]
        assert sorted(archive.getnames()) == files(packaged)


async def test_an_archive_for_each_track_leaves_manifests_readable_and_unpacks_where_it_lies(
    root: Path, packaged: Path
) -> None:
    asked = request(root / "out")
    result = await Running()(deliver, replace(asked, output=replace(OUTPUT, archiving="Tar")))
    assert files(root / "out") == ["manifest.m3u8", "video.m3u8", "video.tar"]
    assert result.links == {"hls": f"file://{root}/out/manifest.m3u8"}
    with tarfile.open(root / "out/video.tar") as archive:
        archive.extractall(root / "out", filter="data")
    assert set(files(root / "out")) == {*files(packaged), "video.tar"}
    withdraw = CleanUpRequest(JOB_ID, asked.location, [replace(OUTPUT, archiving="Tar")])
    await Running()(clean_up, withdraw)
    assert files(root / "out") == OUTPUT.media


async def test_manifests_come_last_and_in_order(root: Path, packaged: Path) -> None:
    await Running()(deliver, request(root / "out"))
    changed = {name: (root / "out" / name).stat().st_ctime_ns for name in files(packaged)}
    newest_media = max(changed[name] for name in OUTPUT.media)
    assert newest_media < changed["video.m3u8"] < changed["manifest.m3u8"]


async def test_media_is_sent_ahead_and_its_delivery_sends_only_the_rest(root: Path, packaged: Path) -> None:
    (root / "out").mkdir()
    (root / "out" / "manifest.m3u8").write_text("of an older title")
    sent = await Running()(send_media, request(root / "out"))
    assert sent == Sent(len(OUTPUT.media), sum(len(name) for name in OUTPUT.media))
    assert files(root / "out") == sorted(OUTPUT.media)
    first = (root / "out" / "video" / "0.m4s").stat()
    (packaged / "thumbnails").mkdir()
    (packaged / "thumbnails" / "1.jpg").write_text("a sheet, made meanwhile")
    for name in OUTPUT.media:
        (packaged / name).unlink()  # another worker need not have it
    with_sheet = replace(OUTPUT, media=[*OUTPUT.media, "thumbnails/1.jpg"])
    running = Running()
    result = await running(deliver, replace(request(root / "out"), output=with_sheet, sent=sent))
    assert files(root / "out") == sorted([*with_sheet.media, *OUTPUT.manifests])
    assert (root / "out" / "video" / "0.m4s").stat() == first
    left = sum((packaged / name).stat().st_size for name in files(packaged))
    assert (result.total_files, result.total_size) == (13, sent.size + left)
    assert running.beats[-1].done == running.beats[-1].total == left


async def test_what_could_not_be_sent_ahead_is_left_to_the_delivery(root: Path, packaged: Path) -> None:
    (root / "out" / "video" / "7.m4s").mkdir(parents=True)
    with pytest.raises(PublishingError) as caught:
        await Running()(send_media, request(root / "out"))
    assert not caught.value.retryable
    (root / "out" / "video" / "7.m4s").rmdir()
    await Running()(deliver, request(root / "out"))
    assert files(root / "out") == files(packaged)


async def test_a_failed_delivery_leaves_no_manifest_neither_new_nor_old(root: Path, packaged: Path) -> None:
    (root / "out" / "video").mkdir(parents=True)
    (root / "out" / "manifest.m3u8").write_text("old")
    (root / "out" / "video" / "7.m4s").mkdir()
    with pytest.raises(PublishingError, match=r"video/7\.m4s cannot be written"):
        await Running()(deliver, request(root / "out"))
    assert files(packaged)
    assert not any(name.endswith(".m3u8") for name in files(root / "out"))


async def test_who_has_lost_its_task_takes_nothing_away(
    root: Path, packaged: Path, temporal_server: TemporalServer
) -> None:
    await Running()(deliver, request(root / "out"))
    client, late = await Client.connect(temporal_server.address), Running()
    run = await client.start_workflow("EncodingJob", id=str(uuid4()), task_queue="nobody's")
    late.environment = ActivityEnvironment(client)
    info = ActivityEnvironment.default_info()
    late.environment.info = replace(info, workflow_id=run.id, workflow_run_id=run.first_execution_run_id)
    with pytest.raises(PublishingError, match="another worker"):
        await late(deliver, request(root / "out"))
    assert files(root / "out") == files(packaged)
    await run.terminate()


async def test_who_is_replaced_meanwhile_takes_no_further_manifest_away(
    root: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Running()(deliver, request(root / "out"))
    answers = iter([True, False])

    async def is_current() -> bool:
        return next(answers)

    monkeypatch.setattr(module, "is_current", is_current)
    with pytest.raises(PublishingError, match="another worker") as caught:
        await Running()(deliver, request(root / "out"))
    assert caught.value.retryable
    assert {*files(packaged)} - {*files(root / "out")} == {"manifest.m3u8"}


async def test_an_answer_that_was_long_under_way_counts_for_nothing(
    root: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Running()(deliver, request(root / "out"))
    monkeypatch.setattr(server, "FRESH_SECONDS", 0.0)
    with pytest.raises(PublishingError, match="another worker"):
        await Running()(deliver, request(root / "out"))
    assert files(root / "out") == files(packaged)


async def test_nothing_of_an_older_title_is_left_among_the_new_files(root: Path, packaged: Path) -> None:
    older = ["manifest.mpd", "audio-fr.m3u8", "video/10.m4s", "video/11.m4s"]
    foreign = ["poster.jpg", "images/1.jpg", "dash/manifest.mpd", "dash/video/1.m4s"]
    for name in (*older, *foreign):
        (root / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "out" / name).write_text("older")
    await Running()(deliver, request(root / "out"))
    assert files(root / "out") == sorted([*files(packaged), *foreign])


async def test_a_retry_sends_only_what_has_not_arrived(root: Path, packaged: Path) -> None:
    (root / "out" / "video" / "7.m4s").mkdir(parents=True)
    with pytest.raises(PublishingError):
        await Running()(deliver, request(root / "out"))
    (root / "out" / "video" / "7.m4s").rmdir()
    first = (root / "out" / "video" / "0.m4s").stat().st_ino
    running = Running()
    await running(deliver, request(root / "out"))
    assert (root / "out" / "video" / "0.m4s").stat().st_ino == first
    assert files(root / "out") == files(packaged)
    assert running.beats[-1].share == 1


async def test_a_retry_brings_back_the_manifests_that_it_takes_away_first(root: Path, packaged: Path) -> None:
    for _ in range(2):
        await Running()(deliver, request(root / "out"))
        assert files(root / "out") == files(packaged)


async def test_a_second_attempt_completes_the_first(root: Path, packaged: Path) -> None:
    (root / "out" / "video").mkdir(parents=True)
    (root / "out" / "video" / "7.m4s").write_text("half of an older one")
    (root / "out" / "video" / ".3.m4s.part").write_text("ha")
    await Running()(deliver, request(root / "out"))
    assert files(root / "out") == files(packaged)
    assert (root / "out" / "video" / "7.m4s").read_text() == "video/7.m4s"


async def test_a_full_disk_is_tried_again(packaged: Path, full_disk: Path) -> None:
    (packaged / "video" / "9.m4s").write_bytes(os.urandom(100_000))
    with pytest.raises(PublishingError, match="no space") as caught:
        await Running()(deliver, request(full_disk))
    assert caught.value.retryable


async def test_a_location_outside_of_the_roots_is_final(packaged: Path, tmp_path: Path) -> None:
    with pytest.raises(PublishingError, match="ENCODING_FILES_ROOT") as caught:
        await Running()(deliver, request(tmp_path / "out"))
    assert files(packaged)
    assert not caught.value.retryable


async def test_lost_work_files_are_told(root: Path, packaged: Path) -> None:
    (packaged / "video" / "3.m4s").unlink()
    with pytest.raises(LostError, match=r"package/hls/video/3\.m4s") as caught:
        await Running()(deliver, request(root / "out"))
    assert caught.value.code is ErrorCode.PUBLISHING
    with pytest.raises(PublishingError, match=r"package/hls/video/3\.m4s") as ahead:
        await Running()(send_media, request(root / "out"))
    assert not ahead.value.retryable, "it is left to the delivery"
    assert files(root / "out") == []


async def test_a_cancelled_delivery_has_stopped(root: Path, packaged: Path) -> None:
    with (packaged / "video" / "0.m4s").open("wb") as file:
        file.truncate(1 << 40)
    part = root / "out" / "video" / ".0.m4s.part"
    await Running().cancelled(deliver, request(root / "out"), part.exists)
    assert not part.exists()
    assert not any(name.endswith(".m3u8") for name in files(root / "out"))


async def test_clean_up_takes_the_workspace_and_leaves_what_is_published(root: Path, packaged: Path) -> None:
    await Running()(deliver, request(root / "out"))
    await Running()(clean_up, CleanUpRequest(JOB_ID, location(root / "out"), []))
    assert files(packaged) == []
    assert len(files(root / "out")) == 12


async def test_clean_up_withdraws_what_a_failed_job_published(root: Path, packaged: Path) -> None:
    await Running()(deliver, request(root / "out"))
    (root / "out" / "other.mpd").touch()
    (root / "out" / "video" / ".3.m4s.part").mkdir()
    (root / "out" / "video" / ".3.m4s.part" / "1f").touch()
    for _ in range(2):
        await Running()(clean_up, CleanUpRequest(JOB_ID, location(root / "out"), [OUTPUT]))
        assert files(root / "out") == ["other.mpd"]
    assert files(packaged) == []


async def test_a_source_that_is_done_is_deleted_unless_it_was_replaced(root: Path) -> None:
    folder = root / "in"
    folder.mkdir()
    for name in ("movie.mp4", "replaced.mp4", "gone.mp4", "notes.txt"):
        (folder / name).write_text(name)
    acquired = await Running()(acquire, AcquireRequest(JOB_ID, location(folder), MediaMappings()))
    (folder / "replaced.mp4").write_text("the next job's")
    (folder / "gone.mp4").unlink()
    for _ in range(2):
        await Running()(delete_source, DeleteSourceRequest(location(folder), acquired.files))
        assert files(folder) == ["notes.txt", "replaced.mp4"]


async def test_clean_up_takes_no_for_an_answer(root: Path, tmp_path: Path) -> None:
    for folder in (root / "never" / "made", tmp_path):
        await Running()(clean_up, CleanUpRequest(JOB_ID, location(folder), [OUTPUT]))


async def test_clean_up_comes_back_to_a_location_that_is_away(
    root: Path, packaged: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "TRIES", 1)
    [port] = free_ports(1)
    monkeypatch.setenv("ENCODING_PRIVATE_HOSTS", "127.0.0.0/8")
    away = S3CompatibleLocation(
        provider="AmazonS3Compatible",
        uri_path="s3://titles/out/",
        endpoint_url=f"http://127.0.0.1:{port}",
        credentials_name="name",
        credentials_secret="secret",
    )
    assert root.exists()
    with closing(storage_of(away)) as storage, claims_of(JOB_ID) as claims:
        claims.take(places_of(storage.place(), OUTPUT))
    with pytest.raises(PublishingError, match="files stay") as caught:
        await Running()(clean_up, CleanUpRequest(JOB_ID, away, [OUTPUT]))
    assert caught.value.retryable
    assert files(packaged) != []
