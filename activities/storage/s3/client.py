"""Clients of S3, and the session of a role."""

import threading
from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

import boto3
from botocore.config import Config
from botocore.credentials import DeferredRefreshableCredentials
from botocore.loaders import create_loader
from botocore.session import get_session

from activities.storage.config import AmazonS3Location, S3CompatibleLocation
from activities.storage.s3.address import Folder
from activities.storage.s3.errors import Explainer
from publishers.aws import guarded_client
from publishers.tls import authorities

CONNECT_SECONDS, SILENT_SECONDS = 10, 30
STS_REGION = "us-east-1"
"""Where the address names none."""
SESSION_NAME = "encoding"
_models = create_loader()
"""What boto3 knows of the services, read from its files once and not for every client, which would take 0.1 s."""


class Connection:
    """A client that is made when it is first needed: making one takes long, and assumes no role by itself.

    Args:
        is_own: the location is the operator's, who may lead the worker anywhere.
    """

    def __init__(
        self,
        location: AmazonS3Location | S3CompatibleLocation,
        folder: Folder,
        explainer: Explainer,
        lanes: int,
        *,
        is_own: bool,
    ) -> None:
        self._location = location
        self._folder = folder
        self._explainer = explainer
        self._lanes = lanes
        self._made = boto3.session.Session.client if is_own else guarded_client
        self._making = threading.Lock()

    @property
    def client(self) -> Any:
        """The same for all threads."""
        with self._making, self._explainer.explained("the service cannot be used"):
            return self._client

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.close()

    @cached_property
    def _client(self) -> Any:
        location = self._location
        session = _session(location.credentials_name, location.credentials_secret)
        if location.role_arn_to_assume:
            session = _assuming(location, partial(self._made, session, "sts", config=_patient(), **self._service()))
        return self._made(session, "s3", config=self._config(), **self._service())

    def _service(self) -> dict[str, Any]:
        """STS of other services than Amazon is where their S3 is."""
        endpoint = self._location.endpoint_url if isinstance(self._location, S3CompatibleLocation) else None
        return {"endpoint_url": endpoint, "region_name": self._region, "verify": authorities()}

    @property
    def _region(self) -> str:
        location = self._location
        own = location.region if isinstance(location, S3CompatibleLocation) else self._folder.region
        return own or STS_REGION

    def _config(self) -> Config:
        amazon = isinstance(self._location, AmazonS3Location)
        return _patient().merge(
            Config(
                max_pool_connections=self._lanes,
                use_dualstack_endpoint=self._folder.dualstack or None,
                # Each part carries its MD5, which every service checks, and which is signed: to hash it all once
                # more for the signature would add nothing.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": "auto" if amazon else "path", "payload_signing_enabled": False},
                signature_version="s3v4",
            )
        )


def _patient() -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=SILENT_SECONDS,
        retries={"total_max_attempts": 1},  # the engine tries again
        tcp_keepalive=True,
    )


def _assuming(location: AmazonS3Location | S3CompatibleLocation, sts: Callable[[], Any]) -> boto3.session.Session:
    """A session of the role; it renews itself before its time is over. `sts` makes a client of the caller."""
    role, seconds = location.role_arn_to_assume, location.role_session_duration_in_seconds
    explainer = Explainer(**dict.fromkeys(("address", "identity", "region"), "RoleArnToAssume"))

    def assumed() -> dict[str, str]:
        with explainer.explained(f"the role {role} cannot be assumed"):
            answer = sts().assume_role(RoleArn=role, RoleSessionName=SESSION_NAME, DurationSeconds=seconds)
        found = answer["Credentials"]
        names = {"access_key": "AccessKeyId", "secret_key": "SecretAccessKey", "token": "SessionToken"}
        return {to: found[name] for to, name in names.items()} | {"expiry_time": found["Expiration"].isoformat()}

    credentials = DeferredRefreshableCredentials(assumed, "assume-role")
    # By default a quarter of an hour before the end: the shortest session would be renewed for every request.
    credentials._advisory_refresh_timeout = min(900, seconds // 3)  # noqa: SLF001 - only others can be told
    credentials._mandatory_refresh_timeout = min(600, seconds // 6)  # noqa: SLF001
    session = _session()
    session._session._credentials = credentials  # noqa: SLF001 - there is no public way to give refreshable ones
    return session


def _session(key_id: str | None = None, secret: str | None = None) -> boto3.session.Session:
    session = get_session()
    session.register_component("data_loader", _models)
    return boto3.session.Session(key_id, secret, botocore_session=session)
