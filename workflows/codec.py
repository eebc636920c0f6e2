"""Optional encryption of whole payloads: what Temporal stores of jobs can then be read by workers and clients alone.

AES-256-GCM. `ENCODING_PAYLOAD_KEYS` lists key files, separated by `:`: the first encrypts, each decrypts.
"""

import base64
import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes, PayloadCodec

from workflows.terse import TersePayloadConverter

VARIABLE = "ENCODING_PAYLOAD_KEYS"
ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NONCE_BYTES = 12
KEY_BYTES = 32


class MissingKey(ValueError):
    """A payload was encrypted with a key that is not in `ENCODING_PAYLOAD_KEYS`."""


class Encryption(PayloadCodec):
    """Encrypts with the first of `keys`, decrypts with each.

    Args:
        keys: of 32 bytes each; none = it writes what is plain, and refuses to guess at what is encrypted.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(key): AESGCM(key) for key in keys}
        self._first = key_id(keys[0]) if keys else None

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See base class."""
        return [self._encrypted(payload, self._first) if self._first else payload for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See base class; what is not encrypted, or not by us, stays as it is.

        Raises:
            MissingKey: the worker lacks the key: its task is tried again until somebody adds it.
        """
        return [self._decrypted(payload) for payload in payloads]

    def _encrypted(self, payload: Payload, name: bytes) -> Payload:
        nonce = os.urandom(NONCE_BYTES)
        data = self._keys[name].encrypt(nonce, payload.SerializeToString(), name)
        return Payload(metadata={"encoding": ENCODING, KEY_ID: name}, data=nonce + data)

    def _decrypted(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING or KEY_ID not in payload.metadata:
            return payload
        name = payload.metadata[KEY_ID]
        if name not in self._keys:
            text = name[:32].decode(errors="replace")
            raise MissingKey(f"a payload is encrypted with the key {text!r}; add that key's file to {VARIABLE}")
        try:
            return Payload.FromString(
                self._keys[name].decrypt(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:], name)
            )
        except (InvalidTag, ValueError, DecodeError):  # not ours, whatever it says: the reader refuses it
            return payload


def key_id(key: bytes) -> bytes:
    """Names a key without telling anything of it."""
    return hashlib.sha256(b"payload key " + key).hexdigest()[:8].encode()


def create_key(file: Path) -> None:
    """Write a new key.

    Raises:
        FileExistsError: there is one; what it protects would be lost.
    """
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        opened.write(base64.b64encode(os.urandom(KEY_BYTES)) + b"\n")


def payload_keys() -> list[bytes]:
    """Those in the files that `ENCODING_PAYLOAD_KEYS` lists.

    Raises:
        ValueError: a file cannot be read, or holds no key.
    """
    return [_read(Path(path)) for path in os.environ.get(VARIABLE, "").split(":") if path]


def _read(file: Path) -> bytes:
    try:
        key = base64.b64decode(file.read_bytes().strip(), validate=True)
    except OSError as error:
        raise ValueError(f"{VARIABLE}: {file} cannot be read: {error.strerror}") from None
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"{VARIABLE}: {file} holds no key; make one with `encoding keys payload FILE`")
    return key


def data_converter() -> DataConverter:
    """How everything between clients, server and workers is written: encrypted where keys are set.

    Raises:
        ValueError: see `payload_keys`.
    """
    keys = payload_keys()
    # Also without keys: a worker that has not got them yet must not take an encrypted job for an invalid one.
    converter = DataConverter(payload_converter_class=TersePayloadConverter, payload_codec=Encryption(keys))
    if not keys:
        return converter
    return dataclasses.replace(converter, failure_converter_class=DefaultFailureConverterWithEncodedAttributes)
