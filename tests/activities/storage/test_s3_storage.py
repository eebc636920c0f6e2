import asyncio
import hashlib
import os
import secrets
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.storage import storage_of
from activities.storage.base import Digest, Entry, StorageError
from activities.storage.config import AmazonS3Location
from activities.storage.journal import Journal
from activities.storage.s3 import checksums, upload
from activities.storage.s3.storage import S3Storage
from tests.activities.storage.doing import check, delete, entries, fetch, store
from tests.activities.storage.s3_doing import s3_folder, s3_location
from tests.servers.ports import free_ports
from tests.servers.proxy import Proxy
from tests.servers.s3 import S3, Identity

MIB = 1 << 20


@pytest.fixture
def folder() -> str:
    return secrets.token_hex(8)


def unfinished(s3: S3, folder: str) -> list[str]:
    found = s3.client.list_multipart_uploads(Bucket=s3.bucket).get("Uploads", [])
    return [upload["Key"] for upload in found if upload["Key"].startswith(folder)]


@pytest.mark.parametrize(
    ("who", "goal", "text", "field"),
    [
        (S3.reader, "write", "s3:PutObject", "CredentialsName"),
        (S3.writer, "read", "s3:ListBucket", "CredentialsName"),
        (S3.lister, "read", "s3:GetObject", "CredentialsName"),
        (Identity((), "nobody", "s3cret"), "write", "does not know this key id", "CredentialsName"),
        (Identity((), S3.admin.key_id, "s3cret"), "write", "secret does not fit", "CredentialsSecret"),
    ],
)
async def test_each_lack_of_permission_is_told_apart(s3: S3, who: Identity, goal: str, text: str, field: str) -> None:
    folder = secrets.token_hex(8)
    s3_folder(s3, folder).put("x.mp4", b"x")
    with pytest.raises(StorageError, match=text) as caught:
        await check(s3_location(s3, folder, who), writable=goal == "write")
    assert (caught.value.field, caught.value.temporary) == (field, False)
    assert who.secret not in str(caught.value)


async def test_each_wrong_place_is_told_apart(s3: S3, folder: str) -> None:
    [closed] = free_ports(1)
    there = f"s3://{s3.bucket}/{folder}"
    wrong: list[tuple[str, str, dict[str, Any]]] = [
        ("no such bucket", "UriPath", {"UriPath": "s3://nowhere/x"}),
        ("nothing is in it", "UriPath", {"UriPath": there}),
        ("host is unknown", "EndpointUrl", {"EndpointUrl": "http://unknown.invalid"}),
        ("refuses the connection", "EndpointUrl", {"EndpointUrl": f"http://127.0.0.1:{closed}"}),
        ("TLS fails", "EndpointUrl", {"EndpointUrl": f"https://127.0.0.1:{s3.port}"}),
        (
            "certificate of the service is not trusted",
            "EndpointUrl",
            {"EndpointUrl": f"https://127.0.0.1:{s3.tls_port}"},
        ),
    ]
    for text, field, changes in wrong:
        with pytest.raises(StorageError, match=text) as caught:
            await check(s3_location(s3, folder, **changes), writable=False)
        assert caught.value.field == field


async def test_a_bucket_that_is_not_there_cannot_be_written(s3: S3) -> None:
    with pytest.raises(StorageError, match="no such bucket"):
        await check(s3_location(s3, "", UriPath="s3://nowhere/x"), writable=True)


async def test_tls_is_verified_with_the_authorities_of_the_worker(
    s3: S3, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCODING_CA_FILE", str(s3.tls.ca))
    await check(s3_location(s3, folder, EndpointUrl=f"https://localhost:{s3.tls_port}"), writable=True)
    assert unfinished(s3, folder) == []


async def test_players_and_caches_learn_what_they_get(s3: S3, folder: str, tmp_path: Path) -> None:
    for size, name in ((10, "x.mpd"), (9 * MIB, "x.mp4")):
        (tmp_path / name).write_bytes(os.urandom(size))
        await store(s3_location(s3, folder), tmp_path / name, name)
    [manifest, media] = [s3.client.head_object(Bucket=s3.bucket, Key=f"{folder}/{name}") for name in ("x.mpd", "x.mp4")]
    assert (manifest["ContentType"], manifest["CacheControl"]) == ("application/dash+xml", "no-cache")
    assert (media["ContentType"], media["CacheControl"]) == ("video/mp4", "public, max-age=3600")


async def test_put_object_is_all_that_publishing_needs(s3: S3, folder: str, tmp_path: Path) -> None:
    """The role may not list, read, delete, nor abort an upload; the caller may not write."""
    location = s3_location(s3, folder, S3.lister, RoleArnToAssume=S3.put_only)
    place = s3_folder(s3, folder)
    place.put("x.mpd", b"old manifest")
    await check(location, writable=True)
    await delete(location, "x.mpd")
    assert place.get("x.mpd") == b""
    place.put("film.mov", b"a source")
    with closing(storage_of(location)) as storage, pytest.raises(StorageError, match="s3:DeleteObject"):
        storage.delete("film.mov", {})
    assert place.get("film.mov") == b"a source"
    content = os.urandom(9 * MIB)
    (tmp_path / "x").write_bytes(content)
    await store(location, tmp_path / "x", "x.mp4")
    assert place.get("x.mp4") == content
    with pytest.raises(StorageError, match="s3:ListBucket") as caught:
        await entries(location)
    assert caught.value.field == "RoleArnToAssume"


async def test_a_role_is_assumed_once_and_again_before_its_time_is_over(s3: S3, folder: str) -> None:
    location = s3_location(s3, folder, S3.lister, RoleArnToAssume=S3.everything, RoleSessionDurationInSeconds=900)
    with closing(storage_of(location)) as storage:
        assert isinstance(storage, S3Storage)
        credentials = storage._client._request_signer._credentials
        keys = []
        for later in (0, 0, 590, 610):
            credentials._time_fetcher = lambda later=later: datetime.now(UTC) + timedelta(seconds=later)
            await asyncio.to_thread(storage.check_writable)
            keys.append(credentials._frozen_credentials.access_key)
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[0] not in (S3.lister.key_id, S3.admin.key_id)


async def test_a_role_that_cannot_be_assumed_is_named(s3: S3, folder: str) -> None:
    role = "arn:aws:iam::123456789012:role/unknown"
    with pytest.raises(StorageError, match="role/unknown cannot be assumed: permission denied") as caught:
        await check(s3_location(s3, folder, RoleArnToAssume=role), writable=True)
    assert caught.value.field == "RoleArnToAssume"


async def test_amazons_own_provider_works_with_the_workers_own_credentials(
    s3: S3, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL_S3": s3.url,
        "AWS_ENDPOINT_URL_STS": s3.url,
        "AWS_ACCESS_KEY_ID": S3.lister.key_id,
        "AWS_SECRET_ACCESS_KEY": S3.lister.secret,
    }.items():
        monkeypatch.setenv(name, value)
    s3_folder(s3, folder).put("x.mp4", b"content")
    uri = f"https://{s3.bucket}.s3.eu-west-1.amazonaws.com/{folder}/"
    location = AmazonS3Location(provider="AmazonS3", uri_path=uri, role_arn_to_assume=S3.everything)
    await check(location, writable=False)
    await check(location, writable=True)
    assert [entry.name for entry in await entries(location)] == ["x.mp4"]


async def test_a_killed_worker_sends_only_the_missing_parts(s3: S3, folder: str, tmp_path: Path) -> None:
    content = os.urandom(4 * upload.PART)
    (tmp_path / "x").write_bytes(content)
    location = s3_location(s3, folder)
    first = Journal(tmp_path / "journal")
    with closing(storage_of(location)) as storage:
        begun = storage.upload(tmp_path / "x", "x.mp4", first.about("x.mp4"))
        for part in begun.missing()[:3]:
            await asyncio.to_thread(begun.send, part, lambda _: None)
    assert s3_folder(s3, folder).names() == []
    again = Journal(tmp_path / "journal")
    with closing(storage_of(location)) as storage:
        assert [part.start for part in storage.upload(tmp_path / "x", "x.mp4", again.about("x.mp4")).missing()] == [
            3 * upload.PART
        ]
    sent: list[int] = []
    with Proxy(s3.port) as proxy:
        await store(
            s3_location(s3, folder, EndpointUrl=f"http://127.0.0.1:{proxy.port}"),
            tmp_path / "x",
            "x.mp4",
            sent.append,
            again,
        )
    assert sent[0] == 3 * upload.PART
    assert sum(sent) == len(content)
    assert s3_folder(s3, folder).get("x.mp4") == content


async def test_an_upload_that_the_service_has_lost_begins_anew(s3: S3, folder: str, tmp_path: Path) -> None:
    content = os.urandom(2 * upload.PART)
    (tmp_path / "x").write_bytes(content)
    journal = Journal(tmp_path / "journal")
    with closing(storage_of(s3_location(s3, folder))) as storage:
        begun = storage.upload(tmp_path / "x", "x.mp4", journal.about("x.mp4"))
        first, second = begun.missing()
        await asyncio.to_thread(begun.send, first, lambda _: None)
        key = {"Bucket": s3.bucket, "Key": f"{folder}/x.mp4"}
        s3.client.abort_multipart_upload(**key, UploadId=journal.about("x.mp4")[upload.UPLOAD])
        with pytest.raises(StorageError, match="sent anew") as caught:
            await asyncio.to_thread(begun.send, second, lambda _: None)
        assert caught.value.temporary
        assert storage.upload(tmp_path / "x", "x.mp4", journal.about("x.mp4")).missing() == [first, second]
        await asyncio.to_thread(begun.send, second, lambda _: None)
        await asyncio.to_thread(begun.finish)
    assert s3_folder(s3, folder).get("x.mp4") == content


async def test_a_lost_answer_to_the_last_request_does_not_send_all_again(s3: S3, folder: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(os.urandom(2 * upload.PART))
    kept: dict[str, str] = {}
    with (
        Proxy(s3.port) as proxy,
        closing(storage_of(s3_location(s3, folder, EndpointUrl=f"http://127.0.0.1:{proxy.port}"))) as storage,
    ):
        begun = storage.upload(tmp_path / "x", "x.mp4", kept)
        for part in begun.missing():
            await asyncio.to_thread(begun.send, part, lambda _: None)
        proxy.cut_at_answer = True
        with pytest.raises(StorageError, match="connection broke") as caught:
            await asyncio.to_thread(begun.finish)
        assert caught.value.temporary
        proxy.cut_at_answer = False
        await asyncio.to_thread(begun.finish)
    assert kept == {}
    assert s3_folder(s3, folder).names() == ["x.mp4"]


async def test_deleting_takes_an_unfinished_upload_away(s3: S3, folder: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(2 * upload.PART))
    kept: dict[str, str] = {}
    with closing(storage_of(s3_location(s3, folder))) as storage:
        begun = storage.upload(tmp_path / "x", "x.mp4", kept)
        await asyncio.to_thread(begun.send, begun.missing()[0], lambda _: None)
        assert unfinished(s3, folder) == [f"{folder}/x.mp4"]
        await asyncio.to_thread(storage.delete, "x.mp4", kept)
    assert unfinished(s3, folder) == []
    assert kept == {}


async def test_a_server_that_dies_and_comes_back_costs_only_the_rest(s3: S3, folder: str, tmp_path: Path) -> None:
    content = os.urandom(2 * upload.PART)
    s3_folder(s3, folder).put("x.mp4", content)
    passed: list[int] = []
    killed = threading.Event()

    def count(size: int) -> None:
        passed.append(size)
        if sum(passed) > upload.PART and not killed.is_set():
            killed.set()
            s3.restart()

    await fetch(s3_location(s3, folder), "x.mp4", tmp_path / "x", count)
    assert killed.is_set()
    assert (tmp_path / "x").read_bytes() == content
    assert sum(passed) == len(content)


async def test_a_broken_connection_goes_on_where_it_was(s3: S3, folder: str, tmp_path: Path) -> None:
    content = os.urandom(2 * upload.PART)
    s3_folder(s3, folder).put("x.mp4", content)
    cut = threading.Event()
    passed: list[int] = []
    with Proxy(s3.port) as proxy:

        def count(size: int) -> None:
            passed.append(size)
            if sum(passed) > upload.PART and not cut.is_set():
                cut.set()
                proxy.cut()

        await fetch(
            s3_location(s3, folder, EndpointUrl=f"http://127.0.0.1:{proxy.port}"), "x.mp4", tmp_path / "x", count
        )
    assert cut.is_set()
    assert (tmp_path / "x").read_bytes() == content
    assert sum(passed) == len(content)


async def test_the_stores_own_checksum_is_used_where_it_is_of_the_whole_file(
    s3: S3, folder: str, tmp_path: Path
) -> None:
    for size, name in ((9, "small"), (9 * MIB, "large")):
        (tmp_path / name).write_bytes(os.urandom(size))
        await store(s3_location(s3, folder), tmp_path / name, name)
    with closing(storage_of(s3_location(s3, folder))) as storage:
        small = await asyncio.to_thread(storage.look, Entry("small", -1))
        large = await asyncio.to_thread(storage.look, Entry("large", -1))
    md5 = hashlib.md5((tmp_path / "small").read_bytes(), usedforsecurity=False).digest()
    assert (small.digest, large.digest) == (Digest("md5", md5), None)
    assert large.version.endswith('-2"')


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"ETag": f'"{"ab" * 16}"'}, Digest("md5", b"\xab" * 16)),
        ({"ETag": f'"{"ab" * 16}"', "ServerSideEncryption": "AES256"}, Digest("md5", b"\xab" * 16)),
        ({"ETag": f'"{"ab" * 16}"', "ServerSideEncryption": "aws:kms"}, None),
        ({"ETag": f'"{"ab" * 16}-2"', "ChecksumCRC32": "NhCmhg==-2", "ChecksumType": "COMPOSITE"}, None),
        ({"ETag": f'"{"ab" * 16}-2"', "ChecksumCRC32": "NhCmhg==", "ChecksumType": "FULL_OBJECT"}, "crc32"),
        ({"ETag": f'"{"ab" * 16}"', "ChecksumCRC64NVME": "AAAAAAAAAAA="}, Digest("md5", b"\xab" * 16)),
    ],
)
def test_only_checksums_of_the_whole_file_count(answer: dict[str, str], expected: Digest | str | None) -> None:
    """Amazon's answers, as it documents them: the tests' server knows no KMS."""
    found = checksums.digest(answer)
    assert expected in (found, found and found.algorithm)


def test_parts_grow_with_files_that_would_need_too_many() -> None:
    assert upload._part_size(1) == upload._part_size(upload.MOST_PARTS * upload.PART) == upload.PART
    assert upload._part_size(upload.MOST_PARTS * upload.PART + 1) == 9 * MIB
