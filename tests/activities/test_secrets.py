import base64
import os
import subprocess
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from activities.secrets import SecretError, protect, revealed
from publishers.config import AzureServiceBusQueue, RabbitMq
from workflows.keys import create, public_key

CONNECTION = "Endpoint=sb://bus.example/;SharedAccessKeyName=me;SharedAccessKey=" + "x" * 300


@pytest.fixture(scope="module")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, Path]]:
    return [create(tmp_path_factory.mktemp("keys")) for _ in range(2)]


@pytest.fixture
def key(key_files: list[tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch) -> rsa.RSAPublicKey:
    """The public key of a worker with one private key."""
    private, public = key_files[0]
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(private))
    return public_key(public)


def rabbitmq(secret: str) -> RabbitMq:
    block = {"Type": "RabbitMQ", "Host": "broker", "Port": 5671, "Queue": "q", "CredentialsName": "me"}
    return RabbitMq.model_validate(block | {"CredentialsSecret": secret, "CredentialsProtection": "Encrypted"})


@pytest.mark.parametrize("secret", ["s3cret", "größer, 世界", "x", " spaces ", "a\tb\nc", "x" * 446])
def test_what_was_protected_can_be_read(secret: str, key: rsa.RSAPublicKey) -> None:
    block = revealed(rabbitmq(protect(secret, key)))
    assert (block.credentials_secret, block.is_encrypted) == (secret, False)


def test_a_readable_section_stays_as_it_is() -> None:
    block = rabbitmq("s3cret").model_copy(update={"credentials_protection": "Unencrypted"})
    assert revealed(block) is block


def test_a_connection_string_becomes_readable(key: rsa.RSAPublicKey) -> None:
    block = AzureServiceBusQueue.model_validate(
        {
            "Type": "AzureServiceBusQueue",
            "Connection": protect(CONNECTION, key),
            "CredentialsProtection": "Encrypted",
        }
    )
    assert revealed(block).connection == CONNECTION
    assert revealed(block).address == "AzureServiceBusQueue bus.example"


def test_too_long_a_secret_says_how_much_fits(key: rsa.RSAPublicKey) -> None:
    with pytest.raises(ValueError, match="longer than the 446 bytes"):
        protect("x" * 447, key)


@pytest.mark.parametrize(
    "options",
    [
        ["rsa_padding_mode:pkcs1"],
        ["rsa_padding_mode:oaep"],  # SHA-1, the default of many libraries
        ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"],
        ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha1"],  # Java's OAEPWithSHA-256
    ],
    ids=" ".join,
)
def test_what_other_programs_have_protected_can_be_read(
    options: list[str], key_files: list[tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", ":".join(str(private) for private, _ in key_files))
    command = ["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", str(key_files[1][1])]
    command += [part for option in options for part in ("-pkeyopt", option)]
    for secret in ("s3cret-1", "s3cret-2\n"):
        data = subprocess.run(command, input=secret.encode(), capture_output=True, check=True).stdout
        assert revealed(rabbitmq(base64.encodebytes(data).decode())).credentials_secret == secret.strip()


def test_keys_can_be_changed_one_after_the_other(
    key_files: list[tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (protect("s3cret", public_key(public)) for _, public in key_files)
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", ":".join(str(private) for private, _ in reversed(key_files)))
    assert {revealed(rabbitmq(text)).credentials_secret for text in (old, new)} == {"s3cret"}


def failure(text: str) -> str:
    with pytest.raises(SecretError) as caught:
        revealed(rabbitmq(text))
    assert "CredentialsSecret" in str(caught.value) or "ENCODING_PRIVATE_KEYS" in str(caught.value)
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.usefixtures("key")
def test_what_is_not_base64_is_told() -> None:
    assert "is not base64" in failure("s3cret!")


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("data", [b"short", b"\0" * 512, b"\xff" * 512])
def test_what_no_key_fits_is_told(data: bytes) -> None:
    assert "no private key" in failure(base64.b64encode(data).decode())


def test_another_key_never_yields_a_secret(key_files: list[tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    text = protect("s3cret", public_key(key_files[0][1]))
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(key_files[1][0]))
    assert "no private key" in failure(text)


def test_noise_of_another_key_is_not_taken_for_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Small keys are fast, and their noise is text more often; in 1000 attempts some of it is.
    right, wrong = (rsa.generate_private_key(public_exponent=65537, key_size=1024) for _ in range(2))  # noqa: S505
    file = tmp_path / "key.pem"
    file.write_bytes(wrong.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(file))
    taken = []
    for _ in range(1000):
        data = right.public_key().encrypt(b"s3cret", padding.PKCS1v15())
        try:
            taken.append(revealed(rabbitmq(base64.b64encode(data).decode())).credentials_secret)
        except SecretError:
            continue
    assert len(taken) <= 2, taken


def test_nothing_that_was_protected_is_told(key: rsa.RSAPublicKey) -> None:
    block = {"Type": "AzureServiceBusQueue", "CredentialsProtection": "Encrypted"}
    protected = protect("no-connection-string", key)
    section = AzureServiceBusQueue.model_validate(block | {"Connection": protected})
    with pytest.raises(SecretError) as caught:
        revealed(section)
    text = "".join(traceback.format_exception(caught.value))
    assert "Connection: what was protected is not valid there" in text
    assert "no-connection-string" not in text


def test_a_worker_without_key_says_what_to_set(monkeypatch: pytest.MonkeyPatch, key: rsa.RSAPublicKey) -> None:
    monkeypatch.delenv("ENCODING_PRIVATE_KEYS")
    assert "set ENCODING_PRIVATE_KEYS" in failure(protect("s3cret", key))


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_bad_key_file_is_named(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: rsa.RSAPublicKey
) -> None:
    text, file = protect("s3cret", key), tmp_path / "key.pem"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(file))
    assert str(file) in failure(text)


@pytest.mark.parametrize("curve", ["P-256", "SM2"])  # the second is one that the library does not know
def test_a_key_that_is_not_rsa_is_named(
    curve: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: rsa.RSAPublicKey
) -> None:
    text, file = protect("s3cret", key), tmp_path / "key.pem"
    command = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}", "-out", str(file)]
    subprocess.run(command, capture_output=True, check=True)
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(file))
    assert str(file) in failure(text)


def test_a_folder_in_place_of_a_key_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: rsa.RSAPublicKey
) -> None:
    text = protect("s3cret", key)
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(tmp_path))
    assert f"{tmp_path}, which ENCODING_PRIVATE_KEYS lists, cannot be read" in failure(text)


def test_a_key_file_that_is_replaced_is_read_again(
    key_files: list[tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.pem"
    monkeypatch.setenv("ENCODING_PRIVATE_KEYS", str(file))
    for changed, (private, public) in enumerate(key_files):
        file.write_bytes(private.read_bytes())
        os.utime(file, ns=(changed, changed))  # two writes may be within a tick of the file system's clock
        assert revealed(rabbitmq(protect("s3cret", public_key(public)))).credentials_secret == "s3cret"
