"""The DRM fields of `ContentProcessing` (contract, section 5)."""

import base64
import re
from ipaddress import ip_address
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from publishers.urls import HttpFolder, split_url
from publishers.wire import KeysProtected, OptionalSecret, Secret

KEY_BYTES = 16
THUMBPRINT_DIGITS = (40, 64)
"""Of SHA-1 and SHA-256."""
NEEDED: dict[str, tuple[str, ...]] = {"None": (), "Base64Key": ("key_id", "content_key"), "Managed": ("drm_managed",)}
"""Fields by `DrmProtection`; those of the others are not for it."""


def _is_guid(text: str) -> str:
    try:
        value = UUID(text)
    except ValueError:
        raise ValueError("is not a GUID") from None
    if not value.int:
        raise ValueError("is all zero, which stands for no key")
    return text


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_private(url: str) -> str:
    parts = split_url(url)
    if parts.scheme.lower() != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("must be https://: keys are not sent over http://, except on the worker's own machine")
    return url


def _listed(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ",".join(value)
    return value or None


def thumbprints(text: str | None) -> frozenset[str]:
    """The list as bare lower-case hex digits.

    Raises:
        ValueError: an entry is no thumbprint.
    """
    found = frozenset(re.sub(r"[:\s]", "", entry).lower() for entry in (text or "").split(",") if entry.strip())
    for entry in found:
        if len(entry) not in THUMBPRINT_DIGITS or not re.fullmatch("[0-9a-f]+", entry):
            raise ValueError("must be thumbprints of SHA-1 (40 hex digits) or SHA-256 (64), separated by commas")
    return found


def content_key(text: str) -> bytes:
    """The key in base64.

    Raises:
        ValueError: it is none.
    """
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError("is not base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"holds {len(key)} bytes; a key has {KEY_BYTES}")
    if not any(key):
        raise ValueError("is all zero, which is no key")
    return key


class DrmManaged(KeysProtected):
    """A key service that speaks SPEKE v2.

    `KeySeed` and `KeySeedId` are taken for the sake of old jobs; SPEKE has no place for them: the service uses its own.
    """

    api_url: Annotated[HttpFolder, AfterValidator(_is_private)]
    """Of the management API, or of its SPEKE endpoint."""
    tenant_id: str = Field(min_length=1, max_length=255, pattern="^[^:]+$")
    management_key: Secret
    key_seed: OptionalSecret = None
    key_seed_id: str | None = Field(None, max_length=255)
    thumbprints: Annotated[OptionalSecret, BeforeValidator(_listed)] = None
    """The service's certificate must have one of these, besides being trusted."""
    multi_key: bool = False
    """A key for each quality (SD, HD, UHD) and one for sound, instead of one for all."""
    proxy: bool = False
    """Go through the proxy that the worker's `HTTPS_PROXY` names."""

    @field_validator("thumbprints")
    @classmethod
    def _are_thumbprints(cls, value: str | None, info: ValidationInfo) -> str | None:
        if info.data.get("keys_protection") == "Unencrypted":
            thumbprints(value)
        return value


class Drm(KeysProtected):
    """All of them. `KeysProtection` here is that of `ContentKey`; `DrmManaged` has its own."""

    drm_protection: Literal["None", "Base64Key", "Managed"] = "None"
    key_id: Annotated[str, AfterValidator(_is_guid)] | None = None
    content_key: OptionalSecret = None
    """Base64 of 16 bytes."""
    drm_managed: DrmManaged | None = None
    explicit_iv: str | None = Field(None, alias="ExplicitIV", pattern="^[0-9A-Fa-f]{32}$")
    """Of `cbcs`. In `cenc` every stream has one of its own: under one key none may be used twice."""

    @field_validator("content_key")
    @classmethod
    def _is_content_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and info.data.get("keys_protection") == "Unencrypted":
            content_key(value)
        return value

    @model_validator(mode="after")
    def _fields_fit_the_protection(self) -> Self:
        needed = NEEDED[self.drm_protection]
        others = {name for names in NEEDED.values() for name in names} - set(needed)
        if self.drm_protection == "None":
            others.add("explicit_iv")
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(f"DrmProtection {self.drm_protection} needs {Drm.wire_name(name)}; add it")
        for name in sorted(others):
            if getattr(self, name) is not None:
                raise ValueError(
                    f"{Drm.wire_name(name)} is not for DrmProtection {self.drm_protection}; remove one of them"
                )
        return self

    def drm(self) -> "Drm | None":
        """These fields alone, with their secrets; None = no encryption."""
        if self.drm_protection == "None":
            return None
        return Drm(**{name: getattr(self, name) for name in Drm.model_fields})

    def without_drm(self) -> Self:
        """The section without any of these fields."""
        return self.model_copy(update={name: field.get_default() for name, field in Drm.model_fields.items()})
