"""Protected credentials (contract, section 6): read by workers alone, at the moment of use.

A secret is base64 of RSA with the service's public key: OAEP with SHA-256, which we document, or PKCS#1 v1.5, which
clients of the hosted service use. OAEP is authenticated: what fits is the secret. PKCS#1 v1.5 is not: a wrong key
yields noise of random length instead of an error, so that only text that noise hardly ever is passes for a secret.
"""

import base64
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from publishers.wire import HoldsSecrets

VARIABLE = "ENCODING_PRIVATE_KEYS"
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
OAEP_SHA1 = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - the default of many libraries
OAEP_JAVA = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA256(), None)  # noqa: S303 - Java's OAEPWithSHA-256
AUTHENTICATED = (OAEP, OAEP_JAVA, OAEP_SHA1)
SHORTEST = 5
"""Characters of a secret in PKCS#1 v1.5: noise is shorter text once in 500 times, and as long once in 20,000."""

Section = TypeVar("Section", bound=HoldsSecrets)


class SecretError(Exception):
    """A secret cannot be read. The text names the field and the remedy, and holds nothing of the secret."""


def protect(secret: str, key: RSAPublicKey) -> str:
    """What goes into the job in place of `secret`.

    Raises:
        ValueError: it is longer than the key can hold.
    """
    try:
        return base64.b64encode(key.encrypt(secret.encode(), OAEP)).decode()
    except ValueError:
        most = key.key_size // 8 - 2 * hashes.SHA256.digest_size - 2
        raise ValueError(f"the secret is longer than the {most} bytes that this key can protect") from None


def revealed(section: Section) -> Section:
    """`section` with its secrets readable; itself where they are.

    Raises:
        SecretError: this worker cannot read one of them.
    """
    if not section.is_encrypted:
        return section
    secrets = {name: getattr(section, name) for name in section.secret_fields()}
    plain = {name: _reveal(section.wire_name(name), secret) for name, secret in secrets.items() if secret is not None}
    try:
        return type(section).model_validate(dict(section) | plain | {section.protection_field: "Unencrypted"})
    except ValueError:
        raise SecretError(f"{_names(section)}: what was protected is not valid there") from None


def _names(section: HoldsSecrets) -> str:
    return ", ".join(map(section.wire_name, section.secret_fields()))


def _reveal(field: str, protected: str) -> str:
    try:
        data = base64.b64decode("".join(protected.split()), validate=True)
    except ValueError:
        raise SecretError(f"{field} is not base64; protect it with `encoding protect`") from None
    keys = private_keys()
    if not keys:
        raise SecretError(f"{field} is encrypted; set {VARIABLE} on this worker to the private key's file")
    for scheme in AUTHENTICATED:
        for text in _readings(data, keys, scheme):
            return text
    probable = [text for text in _readings(data, keys, padding.PKCS1v15()) if _is_no_noise(text)]
    if probable:
        return max(probable, key=len)
    raise SecretError(
        f"no private key in {VARIABLE} fits {field}; protect it with the present public key, "
        f"and with OAEP if it is shorter than {SHORTEST} characters"
    )


def _is_no_noise(text: str) -> bool:
    return len(text) >= SHORTEST and text.isprintable()


def _readings(data: bytes, keys: list[RSAPrivateKey], scheme: AsymmetricPadding) -> Iterator[str]:
    """What each key makes of `data`, where that is text."""
    for key in keys:
        if len(data) != (key.key_size + 7) // 8:
            continue
        with suppress(ValueError):  # also UnicodeDecodeError
            yield key.decrypt(data, scheme).decode().rstrip("\r\n")


def private_keys() -> list[RSAPrivateKey]:
    """Those in the files that `ENCODING_PRIVATE_KEYS` lists, separated by `:`; each is tried.

    Raises:
        SecretError: a file cannot be read as one.
    """
    paths = [path for path in os.environ.get(VARIABLE, "").split(":") if path]
    try:
        return [_load(path, Path(path).stat().st_mtime_ns) for path in paths]
    except OSError as error:
        why = f"cannot be read: {error.strerror}"
        raise SecretError(f"the private key {error.filename}, which {VARIABLE} lists, {why}") from None


@lru_cache(maxsize=32)
def _load(path: str, _changed: int) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(Path(path).read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SecretError(f"{path}, which {VARIABLE} lists, is not a private key in PEM without a password") from None
    if not isinstance(key, RSAPrivateKey):
        raise SecretError(f"{path}, which {VARIABLE} lists, is not an RSA key")
    return key
