"""Encrypted titles, seen as their client sees them."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from activities.drm.key import key_id_of
from activities.secrets import protect
from tests.activities.drm.test_encryption import KEY, KID, forms
from tests.clips import Clips
from tests.integration.service import Service, running
from tests.integration.test_delivery import history_of
from tests.servers.key_server import key_server
from tests.servers.temporal import TemporalServer
from workflows.keys import create, public_key


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return create(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer, keys: tuple[Path, Path]
) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = {"ENCODING_PRIVATE_KEYS": str(keys[0]), "ENCODING_LOG_LEVEL": "DEBUG"}
    with running(folder, temporal_server.address, **settings) as service:
        yield service


def encrypted(service: Service, source: Path, **drm: Any) -> dict[str, Any]:
    job = service.job(source)
    job["ContentProcessing"] |= drm
    return job


def rows(events: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    [finished] = [event for event in events if event["EventType"] == "EncodingFinished"]
    return [(b["Kind"], b["Protection"]["Scheme"], b["Protection"]["KeyId"]) for b in finished["Bitrates"]]


async def test_a_protected_key_encrypts_the_title_and_is_seen_nowhere(
    service: Service, keys: tuple[Path, Path], clip: Clips
) -> None:
    secret = protect(base64.b64encode(KEY).decode(), public_key(keys[1]))
    drm = {"DrmProtection": "Base64Key", "KeyId": KID.upper(), "ContentKey": secret, "KeysProtection": "Encrypted"}
    handle = await service.submit(job := encrypted(service, service.source(clip()), **drm))
    ended = await service.end(handle)
    assert ended.status == "COMPLETED", service.log[-3000:]
    assert rows(ended.events) == [("Video", "cenc", KID), ("Video", "cenc", KID), ("Audio", "cenc", KID)]
    echo = ended.events[0]["ContentProcessing"]
    assert echo == {name: value for name, value in job["ContentProcessing"].items() if name != "ContentKey"}
    output = Path(job["ContentPublishing"]["UriPath"])
    assert f'URI="skd://{KID}:' in (output / "hls/manifest.m3u8").read_text()
    told = (await history_of(handle) + service.log + json.dumps(ended.events)).encode()
    published = [path.read_bytes() for path in output.rglob("*") if path.is_file()]
    assert not any(form in content for form in forms(KEY) for content in [told, *published])
    assert secret.encode() in told  # the search would have found it
    assert secret not in json.dumps(ended.events) + service.log


async def test_a_key_service_gives_a_key_for_each_kind(service: Service, clip: Clips) -> None:
    with key_server() as server:
        section = {"ApiUrl": server.address, "TenantId": server.tenant, "ManagementKey": server.management_key}
        drm = {"DrmProtection": "Managed", "DrmManaged": section | {"MultiKey": True}}
        handle = await service.submit(encrypted(service, service.source(clip()), **drm))
        ended = await service.end(handle)
        assert ended.status == "COMPLETED", service.log[-3000:]
        sd, audio = (str(key_id_of(ended.job_id, label)) for label in ("SD", "AUDIO"))
        assert rows(ended.events) == [("Video", "cenc", sd), ("Video", "cenc", sd), ("Audio", "cenc", audio)]
        told = (await history_of(handle) + service.log + json.dumps(ended.events)).encode()
        assert not any(form in told for kid in (sd, audio) for form in forms(server.key(kid)))
        assert server.management_key not in json.dumps(ended.events) + service.log
        section["ManagementKey"] = "wr0ng-key"
        refused = await service.run(encrypted(service, service.source(clip()), **drm | {"DrmManaged": section}))
    assert (refused.names, refused.error["Code"], refused.error["Phase"]) == (["FinalError"], 5003, "Pre-Validation")
    assert "ContentProcessing: DrmManaged: the key service refused TenantId" in refused.error["Message"]
    assert "wr0ng-key" not in json.dumps(refused.events)
