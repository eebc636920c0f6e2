"""Which bucket is the workers' own: what their variables say."""

import os
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from activities.storage.base import StorageError
from activities.storage.config import S3CompatibleLocation

if TYPE_CHECKING:
    from activities.store.bucket import WorkBucket

DEFAULT_REGION = "us-east-1"
VARIABLES = {
    "CredentialsName": "AWS_ACCESS_KEY_ID",
    "CredentialsSecret": "AWS_SECRET_ACCESS_KEY",
    "EndpointUrl": "ENCODING_WORK_STORE_ENDPOINT",
    "UriPath": "ENCODING_WORK_STORE",
}


class OwnBucket(S3CompatibleLocation):
    """A folder whose credentials boto3 looks for itself: variables, a profile, the machine's role."""

    @model_validator(mode="after")
    def _has_credentials(self) -> Self:
        return self


def own_bucket(store: str, folder: str) -> "WorkBucket":
    """A folder, as that of a job, in `store` (`s3://bucket/prefix`).

    Raises:
        StorageError: the variables name no service.
    """
    env = os.environ
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    # A variable of its own: boto3 would lead jobs that name Amazon to that of Amazon.
    endpoint = env.get("ENCODING_WORK_STORE_ENDPOINT") or f"https://s3.{region}.amazonaws.com"
    try:
        location = OwnBucket(
            provider="AmazonS3Compatible",
            uri_path=f"{store.rstrip('/')}/{folder}",
            endpoint_url=endpoint,
            region=region,
        )
    except ValueError:
        raise StorageError(
            f"ENCODING_WORK_STORE_ENDPOINT is {endpoint!r}; it must be an address, as https://s3.example.com"
        ) from None
    from activities.store.bucket import WorkBucket  # noqa: PLC0415 - a worker without a bucket starts faster

    return WorkBucket(location)


def told(error: StorageError) -> str:
    """An error of the store for those who run it: they set variables where a job has fields."""
    text = str(error)
    for field, variable in VARIABLES.items():
        text = text.replace(field, variable)
    return text
