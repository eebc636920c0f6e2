"""Keys and secrets: answers of key services, what is protected in jobs, and payloads; no error repeats them."""

import base64
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID
from xml.etree.ElementTree import Element, fromstring, tostring

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from activities.drm import cpix
from activities.drm.config import content_key, thumbprints
from activities.drm.key import ContentKey, DrmError
from activities.media.packager import without_keys
from activities.secrets import VARIABLE, SecretError, protect, revealed
from publishers.config import RabbitMq
from tests.fuzz.trying import TEXT, check_told, inputs, made_of
from tests.servers.key_server import KeyServer
from workflows.codec import ENCODING, KEY_ID, Encryption, MissingKey, key_id

KIDS = {"SD": UUID(int=1), "AUDIO": UUID(int=2)}
SERVICE = KeyServer()
IV = bytes(range(16))
KEYS = [base64.b64encode(SERVICE.key(str(kid))).decode() for kid in KIDS.values()]


def answered_document() -> bytes:
    """What an honest key service says."""
    return SERVICE.answered(cpix.request("title", KIDS, "cbcs", IV)) or b""


def answered() -> Element:
    """The same, parsed."""
    return fromstring(answered_document())  # noqa: S314 - our own


VALUES = made_of("AAAA", "=", "skd://", *map(str, KIDS.values()), str(cpix.WIDEVINE), "\n", KEYS[0], size=4)
PRINTABLE = VALUES.map(lambda text: "".join(char for char in text if char.isprintable() and char != "\ufffe"))


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Honest ones, in which elements are missing, doubled, moved, or say something else."""
    root = answered()
    for _ in range(draw(st.integers(0, 4))):
        parents = [element for element in root.iter() if len(element)]
        if not parents:
            break
        parent = draw(st.sampled_from(parents))
        child = draw(st.sampled_from([*parent]))
        match draw(st.sampled_from(["drop", "double", "text", "attribute", "move"])):
            case "drop":
                parent.remove(child)
            case "double":
                parent.append(child)
            case "text":
                child.text = draw(PRINTABLE)
            case "attribute" if child.attrib:
                child.set(draw(st.sampled_from([*child.attrib])), draw(PRINTABLE))
            case _:
                parent.remove(child)
                root.append(child)
    document: bytes = tostring(root)
    return document


def check_keys(document: bytes) -> None:
    try:
        found = list(cpix.keys(document, KIDS, IV))
    except DrmError as error:
        check_told(error, secrets=KEYS)
        return
    assert [(key.label, key.key_id) for key in found] == list(KIDS.items())
    assert all(_is_whole(key) for key in found)


def _is_whole(key: ContentKey) -> bool:
    boxes = all(cpix.system_of(box) for box in key.pssh)
    return len(key.key) == 16 and len(key.iv or b"") == 16 and boxes and '"' not in key.fairplay_uri


@given(answers())
@inputs(50)
def test_answers_of_key_services(document: bytes) -> None:
    check_keys(document)


@given(st.binary(max_size=200), st.integers(0, 4000), st.sampled_from([b"", b'<?xml version="1.0" encoding="utf-7"?>']))
@inputs(30)
def test_answers_that_are_none(junk: bytes, place: int, head: bytes) -> None:
    honest = answered_document()
    check_keys(head + honest[:place] + junk + honest[place + len(junk) :])


@given(TEXT | st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode()))
@inputs(30)
def test_values_of_keys(text: str) -> None:
    for read in (content_key, thumbprints):
        try:
            assert len(read(text)) in {0, 1, 2, 16}
        except ValueError as error:
            check_told(error, secrets=[text] if len(text) > 9 else [])


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[rsa.RSAPrivateKey]:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    file: Path = tmp_path_factory.mktemp("keys") / "private.pem"
    file.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(file))
        yield made


def broker(secret: str) -> RabbitMq:
    fields = {"Type": "RabbitMQ", "Host": "h", "Port": 1, "Queue": "q", "CredentialsName": "me"}
    return RabbitMq.model_validate(fields | {"CredentialsSecret": secret, "CredentialsProtection": "Encrypted"})


@given(TEXT.filter(lambda text: 0 < len(text.encode()) < 190 and text == text.rstrip("\r\n")))
@inputs(10)
def test_a_protected_secret_is_read_again(key: rsa.RSAPrivateKey, secret: str) -> None:
    assert revealed(broker(protect(secret, key.public_key()))).credentials_secret == secret
    if len(secret) >= 5 and secret.isprintable():
        old = base64.b64encode(key.public_key().encrypt(secret.encode(), padding.PKCS1v15())).decode()
        assert revealed(broker(old)).credentials_secret == secret


ENVELOPES = st.binary(min_size=1, max_size=300).map(lambda data: base64.b64encode(data).decode()) | TEXT.filter(bool)


@given(ENVELOPES | st.binary(min_size=256, max_size=256).map(lambda data: base64.b64encode(data).decode()))
@inputs(15)
def test_what_is_no_protected_secret(key: rsa.RSAPrivateKey, text: str) -> None:
    assert key.key_size == 2048
    try:
        found = revealed(broker(text)).credentials_secret
    except SecretError as error:
        check_told(error, "CredentialsSecret", secrets=[text] if len(text) > 9 else [])
    else:  # once in 20,000 times noise passes for PKCS#1 v1.5
        assert found.isprintable()


@given(
    st.text(),
    st.dictionaries(st.text(max_size=8), st.binary(max_size=8), max_size=3),
    st.integers(0, 400),
    st.binary(max_size=4),
)
@inputs(30)
async def test_payloads(text: str, metadata: dict[str, bytes], place: int, junk: bytes) -> None:
    own, other = Encryption([b"k" * 32]), Encryption([b"o" * 32])
    plain = Payload(metadata=metadata, data=text.encode())
    [sealed] = await own.encode([plain])
    assert await own.decode([sealed]) == [plain]
    data = sealed.data[:place] + junk + sealed.data[place + len(junk) :]
    damaged = Payload(metadata=sealed.metadata, data=data)
    assert await own.decode([damaged]) == [plain if data == sealed.data else damaged]
    with pytest.raises(MissingKey):
        await other.decode([sealed])


@given(st.binary(max_size=40), st.sampled_from([b"", ENCODING, b"json/plain"]), st.binary(max_size=8))
@inputs(30)
async def test_payloads_of_others(data: bytes, encoding: bytes, name: bytes) -> None:
    for told in (name, key_id(b"k" * 32)):
        payload = Payload(metadata={"encoding": encoding, KEY_ID: told}, data=data)
        try:
            assert await Encryption([b"k" * 32]).decode([payload]) == [payload]
        except MissingKey:
            assert told != key_id(b"k" * 32)


@given(made_of("label=SD:key_id=", "key=", "KEY=", "0123456789abcdef" * 2, ":iv=", ",", "unknown flag ", "--keys="))
@inputs(20)
def test_no_key_of_the_packager_is_logged(text: str) -> None:
    assert "key=0123456789abcdef" not in without_keys(text).lower()
