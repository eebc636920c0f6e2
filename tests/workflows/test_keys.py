import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import Field

from activities.secrets import revealed
from publishers.config import RabbitMq
from publishers.wire import Protected, Secret, Wire
from workflows.job import Job
from workflows.keys import KeysExistError, _protect, create, protect_job, public_key

LOGIN = {"CredentialsName": "me", "CredentialsSecret": "s3cret"}
RABBITMQ = {"Type": "RabbitMQ", "Host": "broker", "Port": 5671, "Queue": "q"}
JOB: dict[str, Any] = {
    "ExternalId": "größer",
    "ContentAcquisition": {"Provider": "Files", "UriPath": "/media/in"},
    "MediaMappings": {"VideoStreamExpression": r"\.mp4$"},
    "ContentProcessing": {"OutputFormat": ["Dash"]},
    "ContentPublishing": {"Provider": "Files", "UriPath": "/media/out"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    create(folder)
    return folder


@pytest.fixture
def key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> rsa.RSAPublicKey:
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(folder / "private.pem"))
    return public_key(folder / "public.pem")


def test_keys_are_for_their_owner_alone_and_hold_connection_strings(folder: Path, key: rsa.RSAPublicKey) -> None:
    assert (folder / "private.pem").stat().st_mode & 0o777 == 0o600
    assert key.key_size == 4096


@pytest.mark.parametrize("name", ["private.pem", "public.pem"])
def test_no_key_is_overwritten(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(KeysExistError):
        create(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_private_key_is_not_taken_for_a_public_one(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"private\.pem is not a public key in PEM"):
        public_key(folder / "private.pem")


@pytest.mark.parametrize("protection", [{}, {"CredentialsProtection": "Unencrypted"}])
def test_a_secret_is_protected_and_that_it_is_is_told(protection: dict[str, str], key: rsa.RSAPublicKey) -> None:
    block = RABBITMQ | {"CredentialsName": "me", "CredentialsSecret": "s3cret"} | protection
    description = JOB | {"MessagePublishers": [block]}
    assert protect_job(description, Job.parse(description), key) == 1
    assert "s3cret" not in json.dumps(description)
    [section] = Job.parse(description).message_publishers
    assert isinstance(section, RabbitMq)
    assert (section.is_encrypted, revealed(section).credentials_secret) == (True, "s3cret")


def test_what_is_null_holds_no_secret(key: rsa.RSAPublicKey) -> None:
    description = JOB | {"MessagePublishers": None}
    assert protect_job(description, Job.parse(description), key) == 0
    assert description["MessagePublishers"] is None


def test_what_is_encrypted_already_stays_and_the_rest_is_protected(key: rsa.RSAPublicKey) -> None:
    encrypted = RABBITMQ | {"CredentialsName": "me", "CredentialsSecret": "c2k=", "CredentialsProtection": "Encrypted"}
    description = JOB | {"MessagePublishers": [dict(encrypted), RABBITMQ | LOGIN]}
    assert protect_job(description, Job.parse(description), key) == 1
    assert description["MessagePublishers"][0] == encrypted
    assert {name: description[name] for name in JOB} == JOB


def test_a_secret_that_is_too_long_is_named_and_the_limit_told(key: rsa.RSAPublicKey) -> None:
    description = JOB | {"MessagePublishers": [RABBITMQ | {"CredentialsName": "me", "CredentialsSecret": "x" * 447}]}
    with pytest.raises(ValueError, match="CredentialsSecret: the secret is longer than the 446 bytes"):
        protect_job(description, Job.parse(description), key)


class Inner(Protected):
    token: Secret


class Outer(Protected):
    secret: Secret
    inner: Inner | None = None
    others: list[Inner] = Field(default=[])


class Document(Wire):
    outer: Outer


def test_sections_are_found_at_any_depth(key: rsa.RSAPublicKey) -> None:
    inner = {"Token": "s3cret"}
    description = {"Outer": {"Secret": "s3cret", "Inner": dict(inner), "Others": [dict(inner), dict(inner)]}}
    assert _protect(description, Document.model_validate(description), key) == 4
    assert "s3cret" not in json.dumps(description)
    outer = Document.model_validate(description).outer
    assert [revealed(each).token for each in (outer.inner, *outer.others) if each] == ["s3cret"] * 3
