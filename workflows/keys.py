"""`encoding keys` and `encoding protect`: making keys, and a job whose secrets nobody but the workers can read."""

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from pydantic import BaseModel

from activities.secrets import protect
from publishers.wire import Protected
from workflows.job import Job

KEY_BITS = 4096
"""Holds secrets of 446 bytes: connection strings are long."""
PRIVATE, PUBLIC = "private.pem", "public.pem"


def create(folder: Path) -> tuple[Path, Path]:
    """Make a pair of keys in `folder`; returns the files of the private and the public one.

    Raises:
        FileExistsError: there are keys; what they protect would be lost.
    """
    folder.mkdir(parents=True, exist_ok=True)
    private, public = folder / PRIVATE, folder / PUBLIC
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def public_key(path: Path) -> rsa.RSAPublicKey:
    """Read a public key.

    Raises:
        ValueError: it is none.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except ValueError:
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
    if isinstance(read, list):
        return sum(_protect(*pair, key) for pair in zip(here, read, strict=True))
    if not isinstance(read, BaseModel):
        return 0
    count = _protect_section(here, read, key) if isinstance(read, Protected) else 0
    for name, field in type(read).model_fields.items():
        if field.alias in here:
            count += _protect(here[field.alias], getattr(read, name), key)
    return count


def _protect_section(here: dict[str, Any], section: Protected, key: rsa.RSAPublicKey) -> int:
    names = [str(type(section).model_fields[name].alias) for name in section.secret_fields()]
    if section.is_encrypted or not names:
        return 0
    for name in names:
        try:
            here[name] = protect(here[name], key)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    here["CredentialsProtection"] = "Encrypted"
    return len(names)
