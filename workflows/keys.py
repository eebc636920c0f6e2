"""`encoding keys` and `encoding protect`: making keys, and a job whose secrets nobody but the workers can read."""

import os
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)

from activities.secrets import protect
from publishers.wire import HoldsSecrets, Wire
from workflows.job import Job

KEY_BITS = 4096
"""Holds secrets of 446 bytes: connection strings are long."""
PRIVATE, PUBLIC = "private.pem", "public.pem"


class KeysExistError(Exception):
    """There are keys in the folder."""


def create(folder: Path) -> tuple[Path, Path]:
    """Make a pair of keys in `folder`; returns the files of the private and the public one.

    Raises:
        KeysExistError: there are; what they protect would be lost.
        OSError: the folder cannot be made or written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    private, public = folder / PRIVATE, folder / PUBLIC
    if public.exists() or private.exists():  # also where the private key has been moved to the workers
        raise KeysExistError
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _write_new(private, pem, 0o600)
    _write_new(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return private, public


def _write_new(path: Path, data: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)


def public_key(path: Path) -> rsa.RSAPublicKey:
    """Read a public key.

    Raises:
        ValueError: it is none.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path} is not a public key in PEM") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError(f"{path} is not an RSA key")  # noqa: TRY004 - of the value, not of a type in code
    return key


def protect_job(description: dict[str, Any], job: Job, key: rsa.RSAPublicKey) -> int:
    """Encrypt, in place, every secret of `description`, which `job` was read from; returns how many there were.

    Raises:
        ValueError: one is longer than the key can hold; the text names it.
    """
    return _protect(description, job, key)


def _protect(here: Any, read: Any, key: rsa.RSAPublicKey) -> int:
    if here is None:  # as if left out
        return 0
    if isinstance(read, list):
        return sum(_protect(*pair, key) for pair in zip(here, read, strict=True))
    if not isinstance(read, Wire):
        return 0
    count = _protect_section(here, read, key) if isinstance(read, HoldsSecrets) else 0
    for name in type(read).model_fields:
        if (field := read.wire_name(name)) in here:
            count += _protect(here[field], getattr(read, name), key)
    return count


def _protect_section(here: dict[str, Any], section: HoldsSecrets, key: rsa.RSAPublicKey) -> int:
    given = [name for name in section.secret_fields() if getattr(section, name) is not None]
    if section.is_encrypted or not given:
        return 0
    for name in given:
        field = section.wire_name(name)
        try:
            here[field] = protect(getattr(section, name), key)
        except ValueError as error:
            raise ValueError(f"{field}: {error}") from None
    here[section.wire_name(section.protection_field)] = "Encrypted"
    return len(given)
