"""Keys from a key service: a real HTTPS server that speaks SPEKE v2."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from activities.drm.config import Drm
from activities.drm.cpix import FAIRPLAY, PLAYREADY, WIDEVINE
from activities.drm.key import ContentKey, DrmError, key_id_of
from activities.drm.keys import CheckKeysRequest, check_keys, obtained
from activities.drm.speke import LONGEST, endpoint
from activities.errors import PrevalidationError
from activities.media.packager import encryption_flags
from activities.secrets import VARIABLE
from tests.activities.running import JOB_ID, Running
from tests.servers.certificates import Certificates, certificates
from tests.servers.key_server import CPIX, KeyServer, key_server, pssh, thumbprint, uri
from tests.servers.proxy import Proxy

Asked = Callable[..., Any]
EXPLICIT = "000102030405060708090A0B0C0D0E0F"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def running(made: Certificates) -> Iterator[KeyServer]:
    with key_server(made) as server:
        yield server


@pytest.fixture
def server(running: KeyServer, made: Certificates, monkeypatch: pytest.MonkeyPatch) -> KeyServer:
    """The one of the module, as new."""
    vars(running).update(vars(replace(KeyServer(), address=running.address)))
    monkeypatch.setenv("ENCODING_CA_FILE", str(made.ca))
    return running


def managed(server: KeyServer, **fields: Any) -> Drm:
    section = {"ApiUrl": server.address, "TenantId": server.tenant, "ManagementKey": server.management_key}
    top = {name: fields.pop(name) for name in ["ExplicitIV"] if name in fields}
    return Drm.model_validate({"DrmProtection": "Managed", "DrmManaged": section | fields} | top)


async def failure(drm: Drm, *formats: str) -> DrmError:
    with pytest.raises(DrmError) as caught:
        await obtained(drm, JOB_ID, formats or ["Dash"])
    assert "m4n4gement" not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


async def test_one_key_for_all_with_what_the_systems_need(server: KeyServer) -> None:
    found = await obtained(managed(server, ExplicitIV=EXPLICIT), JOB_ID, ["Dash", "Hls"])
    kid = key_id_of(JOB_ID, "ALL")
    boxes = (pssh(WIDEVINE, kid), pssh(PLAYREADY, kid))
    [dash], [hls] = found["cenc"].keys, found["cbcs"].keys
    assert dash == ContentKey("ALL", kid, server.key(str(kid)), None, boxes)
    assert hls == ContentKey("ALL", kid, dash.key, bytes.fromhex(EXPLICIT), boxes, uri(kid))
    assert hls == found["cbcs"].of_audio() == found["cbcs"].of_video(320, 180)
    flags = encryption_flags(found["cbcs"]).decode()
    assert f"--pssh={b''.join(boxes).hex()}" in flags
    assert "--protection_systems=FairPlay\n" in flags


async def test_a_key_for_each_quality_and_the_sound_and_the_same_ones_at_the_next_attempt(server: KeyServer) -> None:
    drm = managed(server, MultiKey=True)
    first, again = [(await obtained(drm, JOB_ID, ["Cmaf"]))["cbcs"] for _ in range(2)]
    assert [(key.label, key.key_id, key.key) for key in first.keys] == [
        (key.label, key.key_id, key.key) for key in again.keys
    ]
    sizes = {"SD": (960, 540), "HD": (1920, 1080), "UHD": (3840, 2160)}
    assert [first.of_video(*size).label for size in sizes.values()] == list(sizes)
    assert first.of_audio().label == "AUDIO"
    assert len({key.key for key in first.keys}) == 4
    rules = server.asked[0].iter(f"{CPIX}ContentKeyUsageRule")
    assert {rule.get("intendedTrackType"): [dict(child.attrib) for child in rule] for rule in rules} == {
        "SD": [{"maxPixels": "589824"}],
        "HD": [{"minPixels": "589825", "maxPixels": "2073600"}],
        "UHD": [{"minPixels": "2073601"}],
        "AUDIO": [{}],
    }


async def test_the_request_names_the_scheme_and_its_systems(server: KeyServer) -> None:
    await obtained(managed(server), JOB_ID, ["Dash", "Hls"])
    cenc, cbcs = server.asked
    for document, scheme, systems in (
        (cenc, "cenc", {WIDEVINE, PLAYREADY}),
        (cbcs, "cbcs", {WIDEVINE, PLAYREADY, FAIRPLAY}),
    ):
        assert document.get("contentId") == JOB_ID
        assert [key.get("commonEncryptionScheme") for key in document.iter(f"{CPIX}ContentKey")] == [scheme]
        assert {UUID(system.get("systemId")) for system in document.iter(f"{CPIX}DRMSystem")} == systems


@pytest.mark.parametrize(
    ("status", "words", "temporary"),
    [
        (401, "refused TenantId and ManagementKey", False),
        (403, "refused TenantId and ManagementKey", False),
        (404, "ApiUrl", False),
        (422, "did not take the request", False),
        (302, "HTTP status 302", False),
        (429, "HTTP status 429", True),
        (503, "HTTP status 503", True),
    ],
)
async def test_a_refusal_names_the_remedy(status: int, words: str, temporary: bool, server: KeyServer) -> None:  # noqa: FBT001
    server.failures = [status]
    error = await failure(managed(server))
    assert (words in str(error), error.temporary) == (True, temporary)


async def test_a_wrong_management_key_fails_the_job_before_it_begins(server: KeyServer) -> None:
    request = CheckKeysRequest(JOB_ID, managed(server, ManagementKey="wr0ng"), ["Dash"])
    with pytest.raises(PrevalidationError, match="refused TenantId and ManagementKey") as caught:
        await Running()(check_keys, request)
    assert "wr0ng" not in str(caught.value)
    assert not caught.value.retryable


async def test_a_management_key_may_hold_any_letter(server: KeyServer) -> None:
    server.management_key = "m4n4gement-schlüssel-鍵"
    assert (await obtained(managed(server), JOB_ID, ["Dash"]))["cenc"].keys


ROOT = b'<c:CPIX xmlns:c="urn:dashif:org:cpix" xmlns:p="urn:ietf:params:xml:ns:keyprov:pskc">%s</c:CPIX>'
KEY = (
    b"<c:ContentKeyList><c:ContentKey kid='%s'><c:Data><p:Secret><p:PlainValue>%%s</p:PlainValue></p:Secret></c:Data>"
    b"</c:ContentKey></c:ContentKeyList>" % str(key_id_of(JOB_ID, "ALL")).encode()
)
GOOD = KEY % b"AQIDBAUGBwgJCgsMDQ4PEA=="
BOX = b"<c:DRMSystemList><c:DRMSystem kid='%s' systemId='%s'><c:PSSH>%%s</c:PSSH></c:DRMSystem></c:DRMSystemList>" % (
    str(key_id_of(JOB_ID, "ALL")).encode(),
    str(WIDEVINE).encode(),
)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "not a CPIX document"),
        (b"<html/>", "not a CPIX document"),
        (b"\xff\xfe\x00", "not a CPIX document"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + ROOT % GOOD, "not a CPIX document"),
        (b"x" * (LONGEST + 1), "too long"),
        (ROOT % b"", "has no key"),
        (ROOT % (b"<c:DeliveryDataList/>" + GOOD), "encrypts the keys"),
        (ROOT % (KEY % b""), "no readable value"),
        (ROOT % (KEY % b"AQID"), "holds 3 bytes"),
        (ROOT % (KEY % b"AAAAAAAAAAAAAAAAAAAAAA=="), "all zero"),
        (ROOT % (GOOD + BOX % b"!"), "PSSH is not base64"),
        (ROOT % (GOOD + BOX % b"AQID"), "is not its box"),
    ],
)
async def test_an_answer_that_cannot_be_used_is_told(answer: bytes, words: str, server: KeyServer) -> None:
    server.answer = answer
    error = await failure(managed(server))
    assert words in str(error)
    assert not error.temporary


async def test_keys_that_differ_between_schemes_are_refused(server: KeyServer) -> None:
    server.seed_per_scheme = True
    assert "another key for cbcs" in str(await failure(managed(server), "Dash", "Hls"))


async def test_the_certificate_is_verified(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCODING_CA_FILE")
    error = await failure(managed(server))
    assert ("ENCODING_CA_FILE" in str(error), error.temporary) == (True, False)
    assert not server.asked


async def test_a_thumbprint_is_demanded_besides(
    server: KeyServer, made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = thumbprint(made.certificate)
    await obtained(managed(server, Thumbprints=["00" * 20, right.upper()]), JOB_ID, ["Dash"])
    server.asked.clear()
    assert "Thumbprints" in str(await failure(managed(server, Thumbprints="00" * 32)))
    monkeypatch.delenv("ENCODING_CA_FILE")
    assert "not trusted" in str(await failure(managed(server, Thumbprints=right)))
    assert not server.asked


async def test_a_service_that_is_away_is_worth_another_attempt(server: KeyServer) -> None:
    error = await failure(managed(server, ApiUrl="https://127.0.0.1:9/api"))
    assert ("cannot be reached" in str(error), error.temporary) == (True, True)


async def test_the_proxy_is_used_when_asked_for_alone(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    monkeypatch.delenv("https_proxy", raising=False)
    assert "has no HTTPS_PROXY" in str(await failure(managed(server, Proxy=True)))
    with Proxy(9) as away:  # takes connections and ends them
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{away.port}")
        await obtained(managed(server), JOB_ID, ["Dash"])
        assert away.opened == 0
        assert "cannot be reached" in str(await failure(managed(server, Proxy=True)))
        assert away.opened == 1


async def test_a_protected_key_without_the_worker_s_private_key_is_told_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    drm = Drm.model_validate(
        {"DrmProtection": "Base64Key", "KeyId": JOB_ID, "ContentKey": "c2k=", "KeysProtection": "Encrypted"}
    )
    assert f"ContentKey is encrypted; set {VARIABLE}" in str(await failure(drm))


@pytest.mark.parametrize(
    ("api_url", "address"),
    [
        ("https://keys.example/api", "https://keys.example/api/SpekeV2"),
        ("https://keys.example/api/", "https://keys.example/api/SpekeV2"),
        ("https://keys.example/api/SpekeV2", "https://keys.example/api/SpekeV2"),
        ("https://keys.example/speke/v2.0/copyProtection", "https://keys.example/speke/v2.0/copyProtection"),
    ],
)
def test_the_endpoint_is_below_the_management_api_unless_it_is_named(api_url: str, address: str) -> None:
    assert endpoint(api_url) == address
