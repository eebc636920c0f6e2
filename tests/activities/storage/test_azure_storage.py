"""Blobs as files, on Azurite: what they look like, how they travel, what survives a failure."""

import asyncio
import gzip
import os
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from azure.storage.blob import BlobBlock, BlobClient, BlobType, ContainerClient, ContentSettings

from activities.storage import storage_of
from activities.storage.azure import upload as azure_upload
from activities.storage.azure.storage import AzureBlobStorage
from activities.storage.base import Entry, Span, StorageError
from activities.storage.config import AzureBlobLocation
from activities.storage.journal import Journal
from tests.activities.storage.doing import Place, check, delete, entries, fetch, nothing, store
from tests.servers.azurite import Blob
from tests.servers.proxy import Proxy

SMALL = 64 << 10


@pytest.fixture
def location(azure_place: Place) -> AzureBlobLocation:
    assert isinstance(azure_place.location, AzureBlobLocation)
    return azure_place.location


@pytest.fixture
def storage(location: AzureBlobLocation) -> Iterator[AzureBlobStorage]:
    with closing(storage_of(location)) as storage:
        assert isinstance(storage, AzureBlobStorage)
        yield storage


@pytest.fixture
def container(storage: AzureBlobStorage, azurite: Blob) -> ContainerClient:
    """A plain client."""
    return azurite.container(storage._folder.container)


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that several parts are not many megabytes."""
    monkeypatch.setattr(azure_upload, "BLOCK", SMALL)
    monkeypatch.setattr(azure_upload, "PIECE", SMALL // 2)


def blob(container: ContainerClient, name: str) -> BlobClient:
    return container.get_blob_client(f"Kanal 1/ü/{name}")


def through(proxy: Proxy, azurite: Blob, location: AzureBlobLocation) -> AzureBlobLocation:
    address = location.uri_path.replace(f":{azurite.port}/", f":{proxy.port}/")
    return location.model_copy(update={"uri_path": address})


def test_a_listing_tells_what_azure_knows_of_a_file(storage: AzureBlobStorage, azure_place: Place) -> None:
    azure_place.put("x.mp4", b"content")
    [entry] = storage.entries()
    assert (entry.size, entry.digest and entry.digest.algorithm) == (7, "md5")
    assert storage.look(Entry("x.mp4", -1)) == entry


def test_what_stands_for_a_folder_is_no_file(storage: AzureBlobStorage, container: ContainerClient) -> None:
    blob(container, "made/by/portal/").upload_blob(b"")
    blob(container, "data-lake").upload_blob(b"", metadata={"hdi_isfolder": "true"})
    assert list(storage.entries()) == []


def test_names_that_are_no_paths_and_archived_files_cannot_be_used(
    storage: AzureBlobStorage, container: ContainerClient
) -> None:
    for name in ("a//b", "ends/", "old.mp4"):
        blob(container, name).upload_blob(b"content")
    blob(container, "old.mp4").set_standard_blob_tier("Archive")
    assert {entry.name: entry.unusable.split(";")[0] for entry in storage.entries()} == {
        "a//b": "has a name that cannot be a file's path",
        "ends/": "has a name that cannot be a file's path",
        "old.mp4": "is in the archive tier",
    }


def test_a_snapshot_is_not_listed(storage: AzureBlobStorage, container: ContainerClient) -> None:
    blob(container, "x.mp4").upload_blob(b"content")
    blob(container, "x.mp4").create_snapshot()
    assert [entry.name for entry in storage.entries()] == ["x.mp4"]
    with pytest.raises(StorageError, match="has snapshots; delete them first"):
        storage.delete("x.mp4", {})


async def test_what_was_appended_to_is_read_without_its_outdated_checksum(
    location: AzureBlobLocation, container: ContainerClient, tmp_path: Path
) -> None:
    log = blob(container, "x.vtt")
    log.upload_blob(b"one", BlobType.APPENDBLOB, content_settings=ContentSettings(content_md5=bytearray(16)))
    await fetch(location, "x.vtt", tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"one"


def test_a_file_is_read_as_it_is_stored(storage: AzureBlobStorage, container: ContainerClient) -> None:
    packed = gzip.compress(b"content")
    blob(container, "x.vtt").upload_blob(packed, content_settings=ContentSettings(content_encoding="gzip"))
    assert b"".join(storage.read(Entry("x.vtt", -1), Span(0, len(packed)))) == packed


def test_a_reader_may_leave_early(storage: AzureBlobStorage, azure_place: Place) -> None:
    azure_place.put("x.mp4", bytes(2 * azure_upload.PIECE))
    for _ in range(12):  # more than there are connections in the pool
        pieces = storage.read(Entry("x.mp4", -1), Span(0, 2 * azure_upload.PIECE))
        assert next(pieces)
        pieces.close()  # type: ignore[attr-defined] # it is a generator


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("size", [SMALL, SMALL + 1])
async def test_published_files_have_type_cache_control_and_verified_content(
    location: AzureBlobLocation, container: ContainerClient, tmp_path: Path, size: int
) -> None:
    (tmp_path / "local").write_bytes(os.urandom(size))
    await store(location, tmp_path / "local", "dash/manifest.mpd")
    settings = blob(container, "dash/manifest.mpd").get_blob_properties().content_settings
    assert (settings.content_type, settings.cache_control) == ("application/dash+xml", "no-cache")
    assert (settings.content_md5 is None) == (size > SMALL)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("size", [SMALL, 2 * SMALL])
def test_azure_refuses_what_has_arrived_damaged(
    storage: AzureBlobStorage, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_upload, "_md5", lambda _: "AAAAAAAAAAAAAAAAAAAAAA==")
    (tmp_path / "local").write_bytes(os.urandom(size))
    upload = storage.upload(tmp_path / "local", "x.mp4", {})
    with pytest.raises(StorageError, match="400 InvalidOperation"):  # Azurite's name for Md5Mismatch
        upload.send(upload.missing()[0], nothing)


@pytest.mark.usefixtures("small_blocks")
def test_readers_see_the_older_file_until_all_blocks_are_there(
    storage: AzureBlobStorage, azure_place: Place, tmp_path: Path
) -> None:
    azure_place.put("x.mp4", b"older")
    (tmp_path / "local").write_bytes(content := os.urandom(3 * SMALL))
    upload = storage.upload(tmp_path / "local", "x.mp4", {})
    for part in upload.missing():
        upload.send(part, nothing)
        assert azure_place.get("x.mp4") == b"older"
    for _ in range(2):  # the second time, as after an answer that was lost
        upload.finish()
        assert azure_place.get("x.mp4") == content


@pytest.mark.usefixtures("small_blocks")
def test_another_worker_sends_only_the_blocks_that_are_missing(
    location: AzureBlobLocation, azure_place: Place, tmp_path: Path
) -> None:
    (tmp_path / "local").write_bytes(content := os.urandom(4 * SMALL + 1))
    with closing(storage_of(location)) as killed:
        first = killed.upload(tmp_path / "local", "x.mp4", Journal(tmp_path / "journal").about("x.mp4"))
        for part in first.missing()[1:3]:
            first.send(part, nothing)
    with closing(storage_of(location)) as storage:
        second = storage.upload(tmp_path / "local", "x.mp4", Journal(tmp_path / "journal").about("x.mp4"))
        left = second.missing()
        assert [part.start // SMALL for part in left] == [0, 3, 4]
        for part in left:
            second.send(part, nothing)
        second.finish()
    assert azure_place.get("x.mp4") == content


@pytest.mark.usefixtures("small_blocks")
def test_blocks_that_are_gone_or_of_another_file_are_sent_again(
    storage: AzureBlobStorage, container: ContainerClient, tmp_path: Path
) -> None:
    (tmp_path / "local").write_bytes(os.urandom(2 * SMALL))
    kept: dict[str, str] = {}
    upload = storage.upload(tmp_path / "local", "x.mp4", kept)
    for part in upload.missing():
        upload.send(part, nothing)
    others = "0" * 40  # as long as ours: Azure takes no others beside them
    blob(container, "x.mp4").stage_block(others, b"another program")
    blob(container, "x.mp4").commit_block_list([BlobBlock(others)])
    with pytest.raises(StorageError, match="parts of it are gone") as caught:
        upload.finish()
    assert caught.value.temporary
    assert len(storage.upload(tmp_path / "local", "x.mp4", kept).missing()) == 2
    for part in upload.missing():
        upload.send(part, nothing)
    (tmp_path / "local").write_bytes(os.urandom(2 * SMALL))
    assert len(storage.upload(tmp_path / "local", "x.mp4", kept).missing()) == 2


@pytest.mark.usefixtures("small_blocks")
def test_delete_takes_away_what_an_unfinished_upload_has_left(
    storage: AzureBlobStorage, container: ContainerClient, tmp_path: Path
) -> None:
    (tmp_path / "local").write_bytes(os.urandom(2 * SMALL))
    kept: dict[str, str] = {}
    upload = storage.upload(tmp_path / "local", "x.mp4", kept)
    upload.send(upload.missing()[0], nothing)
    assert list(container.list_blob_names(include=["uncommittedblobs"])) == ["Kanal 1/ü/x.mp4"]
    storage.delete("x.mp4", kept)
    assert list(container.list_blob_names(include=["uncommittedblobs"])) == []


async def test_a_download_goes_on_after_its_connections_broke(
    azurite: Blob, location: AzureBlobLocation, azure_place: Place, tmp_path: Path
) -> None:
    azure_place.put("x.mp4", content := os.urandom(24 << 20))
    counted: list[int] = []
    with Proxy(azurite.port) as proxy:

        def count(size: int) -> None:
            before, after = sum(counted), sum(counted) + size
            counted.append(size)
            if before < 5 << 20 <= after:
                proxy.cut()

        await fetch(through(proxy, azurite, location), "x.mp4", tmp_path / "x", count)
    assert sum(counted) == len(content)
    assert (tmp_path / "x").read_bytes() == content


async def test_an_upload_goes_on_when_the_service_has_restarted(
    azurite: Blob, location: AzureBlobLocation, azure_place: Place, tmp_path: Path
) -> None:
    (tmp_path / "local").write_bytes(content := os.urandom(24 << 20))
    arrived = threading.Event()
    sending = asyncio.create_task(store(location, tmp_path / "local", "x.mp4", lambda _: arrived.set()))
    await asyncio.to_thread(arrived.wait)
    await asyncio.to_thread(azurite.stop)  # killed, it would forget all that is younger than some seconds
    await asyncio.to_thread(azurite.start)
    await sending
    assert azure_place.get("x.mp4") == content


async def test_a_cancelled_upload_has_stopped(location: AzureBlobLocation, azure_place: Place, tmp_path: Path) -> None:
    with (tmp_path / "local").open("wb") as file:
        file.truncate(1 << 40)
    begun = threading.Event()
    sending = asyncio.create_task(store(location, tmp_path / "local", "x.mp4", lambda _: begun.set()))
    await asyncio.to_thread(begun.wait)
    sending.cancel()
    with suppress(asyncio.CancelledError):
        await sending
    assert sending.cancelled()
    assert azure_place.names() == []
    await delete(location, "x.mp4", Journal(tmp_path / ".journal"))


async def test_files_in_use_and_of_other_kinds_are_told(
    location: AzureBlobLocation, container: ContainerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure_upload, "BLOCK", SMALL)
    (tmp_path / "local").write_bytes(os.urandom(2 * SMALL))
    blob(container, "append.mp4").upload_blob(b"x", BlobType.APPENDBLOB)
    blob(container, "leased.mp4").upload_blob(b"x")
    blob(container, "leased.mp4").acquire_lease()
    blob(container, "foreign.mp4").stage_block("of another length", b"x")
    for name, text in {
        "append.mp4": "a blob of another type",
        "leased.mp4": "holds a lease on it",
        "foreign.mp4": "another program's unfinished upload",
    }.items():
        with pytest.raises(StorageError, match=text) as caught:
            await store(location, tmp_path / "local", name)
        assert not caught.value.temporary


async def test_a_folder_without_a_file_cannot_be_read(location: AzureBlobLocation) -> None:
    for reading in (check(location, writable=False), entries(location)):
        with pytest.raises(StorageError, match=r"Kanal%201/%C3%BC/ holds no file") as caught:
            await reading
        assert not caught.value.temporary
