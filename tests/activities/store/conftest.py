"""Workers with disks of their own, and what they have in common."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.activities.running import JOB_ID
from tests.activities.storage.doing import Place
from tests.activities.storage.s3_doing import s3_folder
from tests.servers.s3 import S3, Identity

Lose = Callable[[str, bytes | None], None]
Disk = Callable[[str], Path]
"""The work folder of a worker, which from then on is the one that works."""


def give_bucket(patch: pytest.MonkeyPatch, s3: S3, folder: str, who: Identity = S3.admin) -> None:
    """What a worker is told of its store."""
    patch.setenv("ENCODING_WORK_STORE", f"s3://{s3.bucket}/{folder}")
    patch.setenv("ENCODING_WORK_STORE_ENDPOINT", s3.url)
    patch.setenv("AWS_ACCESS_KEY_ID", who.key_id)
    patch.setenv("AWS_SECRET_ACCESS_KEY", who.secret)


@pytest.fixture
def bucket(s3: S3, root: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The store, as a plain client sees it."""
    assert root.is_dir()
    folder = f"work/{secrets.token_hex(8)}"
    give_bucket(monkeypatch, s3, folder)
    return s3_folder(s3, folder)


@pytest.fixture
def lose(bucket: Place, s3: S3) -> Callable[[str, bytes | None], None]:
    """Let a file of the job be gone from the bucket, or be another one."""
    prefix = os.environ["ENCODING_WORK_STORE"].removeprefix(f"s3://{s3.bucket}/")

    def lose(name: str, instead: bytes | None) -> None:
        if instead is None:
            s3.client.delete_object(Bucket=s3.bucket, Key=f"{prefix}/{JOB_ID}/{name}")
        else:
            bucket.put(f"{JOB_ID}/{name}", instead)

    return lose


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    def on_its_disk(name: str) -> Path:
        monkeypatch.setenv("ENCODING_WORK_ROOT", str(tmp_path / "disks" / name))
        return tmp_path / "disks" / name

    return on_its_disk


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, root: Path, worker: Disk, monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The same for both kinds of store; where it is a folder, all have it."""
    if request.param == "bucket":
        request.getfixturevalue("bucket")
        return worker
    monkeypatch.setenv("ENCODING_WORK_ROOT", str(root.parent / "common"))
    return lambda _: root.parent / "common"
