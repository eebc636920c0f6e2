import base64
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from activities.drm.config import Drm, thumbprints
from activities.drm.key import Encryption, quality, scheme_of
from activities.media.packager import without_keys
from activities.processing import ContentProcessing
from activities.secrets import SecretError, protect, revealed
from publishers.wire import told
from workflows.job import Job
from workflows.keys import create, protect_job, public_key

KEY = bytes(range(1, 17))
DIRECT = {
    "DrmProtection": "Base64Key",
    "KeyId": "AD0C138E-2591-45C5-94EA-80B3697C6DA9",
    "ContentKey": base64.b64encode(KEY).decode(),
}
SERVICE = {
    "ApiUrl": "https://keys.example/api",
    "TenantId": "c72d7f6a",
    "ManagementKey": "m4n4gement",
    "KeySeed": "s33d",
    "Thumbprints": ["AB:" * 19 + "AB", "cd" * 32],
}
MANAGED = {"DrmProtection": "Managed", "DrmManaged": SERVICE}


def problems(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        ContentProcessing.model_validate(fields)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        (DIRECT | {"KeyId": "4711"}, "KeyId", "is not a GUID"),
        (DIRECT | {"KeyId": str(UUID(int=0))}, "KeyId", "all zero"),
        (DIRECT | {"ContentKey": "s3cret!"}, "ContentKey", "is not base64"),
        (DIRECT | {"ContentKey": base64.b64encode(KEY[1:]).decode()}, "ContentKey", "holds 15 bytes"),
        (DIRECT | {"ContentKey": base64.b64encode(bytes(16)).decode()}, "ContentKey", "all zero"),
        (DIRECT | {"ExplicitIV": "0" * 31}, "ExplicitIV", "pattern"),
        (DIRECT | {"ContentKey": None}, "", "needs ContentKey"),
        (DIRECT | {"DrmManaged": SERVICE}, "", "DrmManaged is not for DrmProtection Base64Key"),
        (DIRECT | {"DrmProtection": "None"}, "", "is not for DrmProtection None"),
        ({"ExplicitIV": "0" * 32}, "", "ExplicitIV is not for DrmProtection None"),
        ({"DrmProtection": "Managed"}, "", "needs DrmManaged"),
        (MANAGED | {"DrmManaged": SERVICE | {"ApiUrl": "http://keys.example"}}, "DrmManaged.ApiUrl", "https://"),
        (MANAGED | {"DrmManaged": SERVICE | {"ApiUrl": "https://a:b@keys.example"}}, "DrmManaged.ApiUrl", "password"),
        (MANAGED | {"DrmManaged": SERVICE | {"TenantId": "a:b"}}, "DrmManaged.TenantId", "pattern"),
        (MANAGED | {"DrmManaged": SERVICE | {"Thumbprints": "abc"}}, "DrmManaged.Thumbprints", "hex digits"),
    ],
)
def test_a_field_that_does_not_fit_is_named_and_no_secret_told(fields: dict[str, Any], path: str, words: str) -> None:
    [(found, message)] = problems(**fields)
    assert found == path
    assert words in message
    assert "s3cret" not in message


def test_keys_are_in_neither_representation_nor_echo() -> None:
    for fields in (DIRECT | {"ExplicitIV": "0f" * 16}, MANAGED):
        section = ContentProcessing.model_validate(fields)
        text, shown = json.dumps(told(section, fields)), repr(section)
        for secret in (DIRECT["ContentKey"], "m4n4gement", "s33d", "cd" * 32):
            assert secret not in text + shown
    assert told(section, fields) == {
        "DrmProtection": "Managed",
        "DrmManaged": {"ApiUrl": SERVICE["ApiUrl"], "TenantId": SERVICE["TenantId"]},
    }


def test_the_keys_can_be_taken_out_of_the_section_and_back_from_json() -> None:
    section = ContentProcessing.model_validate(MANAGED | {"OptimizeFor": "Speed"})
    drm = section.drm()
    assert drm
    assert Drm.model_validate_json(drm.model_dump_json()) == drm
    clear = section.without_drm()
    assert (clear.drm(), clear.optimize_for) == (None, "Speed")
    assert "m4n4gement" not in clear.model_dump_json()


@pytest.fixture(scope="module")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return create(tmp_path_factory.mktemp("keys"))


@pytest.mark.parametrize("fields", [DIRECT, MANAGED])
def test_keys_can_be_protected(
    fields: dict[str, Any], key_files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = key_files
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(private))
    files = {"Provider": "Files", "UriPath": "/media"}
    job = {
        "ContentAcquisition": files,
        "ContentPublishing": files,
        "MediaMappings": {"VideoStreamExpression": "."},
        "ContentProcessing": json.loads(json.dumps(fields)),
    }
    assert protect_job(job, Job.parse(job), public_key(public)) == (1 if fields is DIRECT else 3)
    assert not any(secret in json.dumps(job) for secret in (DIRECT["ContentKey"], "m4n4gement", "s33d", "cd" * 32))
    read = Job.parse(job).content_processing
    if read.drm_managed:
        managed = revealed(read.drm_managed)
        assert (managed.management_key, managed.key_seed) == ("m4n4gement", "s33d")
        assert thumbprints(managed.thumbprints) == {"ab" * 20, "cd" * 32}
    else:
        assert revealed(read).content_key == DIRECT["ContentKey"]
        job["ContentProcessing"]["ContentKey"] = protect("no key", public_key(public))
        with pytest.raises(SecretError, match="ContentKey: what was protected is not valid there"):
            revealed(Job.parse(job).content_processing)


def test_each_format_has_the_scheme_that_its_players_know() -> None:
    assert [scheme_of(name) for name in ("Dash", "DashOnDemand", "Hls", "Cmaf")] == ["cenc", "cenc", "cbcs", "cbcs"]


def test_qualities_are_told_apart_by_pixels() -> None:
    sizes = [(960, 540), (1024, 576), (576, 1024), (1280, 720), (1920, 1080), (1920, 1088), (3840, 2160)]
    assert [quality(*size) for size in sizes] == ["SD", "SD", "SD", "HD", "HD", "UHD", "UHD"]


def test_a_key_that_the_packager_quotes_is_not_logged() -> None:
    assert KEY.hex() not in without_keys(f"bad flag --keys=label=ALL:key_id=0123:key={KEY.hex()}:iv=00")
    assert KEY.hex() not in repr(Encryption("cenc", ()))
