"""The keys of a job: from the job itself, or from its key service."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from temporalio import activity

from activities.drm import cpix, speke
from activities.drm.config import Drm, DrmManaged, content_key
from activities.drm.key import ALL, IV_BYTES, ContentKey, DrmError, Encryption, Scheme, key_id_of, labels, scheme_of
from activities.errors import PrevalidationError
from activities.heartbeat import Progress, beating
from activities.processing import OutputFormat
from activities.secrets import SecretError, revealed
from activities.storage.threads import stoppable


@dataclass(frozen=True)
class CheckKeysRequest:
    """Which keys a job needs."""

    job_id: str
    drm: Drm
    formats: list[OutputFormat]


@activity.defn
async def check_keys(request: CheckKeysRequest) -> None:
    """Get the keys and forget them: a wrong one must not show only when all is encoded.

    Raises:
        PrevalidationError: they cannot be had.
    """
    async with beating(Progress()):
        try:
            await obtained(request.drm, request.job_id, request.formats)
        except DrmError as error:
            raise PrevalidationError(f"ContentProcessing: {error}", retryable=error.temporary) from None


async def obtained(drm: Drm, job_id: str, formats: Iterable[str]) -> dict[Scheme, Encryption]:
    """The keys for each scheme that `formats` need.

    Raises:
        DrmError: one is missing, or they differ between schemes: a license holds one key for an id.
    """
    found = {scheme: await _keys(drm, job_id, scheme) for scheme in dict.fromkeys(map(scheme_of, formats))}
    if len({frozenset((key.key_id, key.key) for key in keys) for keys in found.values()}) > 1:
        raise DrmError(
            "DrmManaged: the key service gives another key for cbcs than for cenc under the same key id; "
            "ask for Dash and Hls in jobs of their own"
        )
    return {scheme: Encryption(scheme, keys) for scheme, keys in found.items()}


async def _keys(drm: Drm, job_id: str, scheme: Scheme) -> tuple[ContentKey, ...]:
    given = bytes.fromhex(drm.explicit_iv) if drm.explicit_iv else secrets.token_bytes(IV_BYTES)
    iv = given if scheme == "cbcs" else None
    try:
        if drm.drm_managed:
            return await _managed(revealed(drm.drm_managed), job_id, scheme, iv)
        plain = revealed(drm)
    except SecretError as error:
        raise DrmError(str(error)) from None
    return (ContentKey(ALL, UUID(plain.key_id), content_key(plain.content_key or ""), iv),)


async def _managed(managed: DrmManaged, job_id: str, scheme: Scheme, iv: bytes | None) -> tuple[ContentKey, ...]:
    wanted = {label: key_id_of(job_id, label) for label in labels(managed)}
    document = cpix.request(job_id, wanted, scheme, iv)
    answer = await stoppable(lambda _: speke.answer(managed, document))
    return tuple(cpix.keys(answer, wanted, iv))
