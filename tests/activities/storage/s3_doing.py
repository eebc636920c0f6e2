"""Folders in the bucket of the tests' server."""

from typing import Any
from urllib.parse import quote

from activities.storage.config import S3CompatibleLocation
from tests.activities.storage.doing import Place
from tests.servers.s3 import S3, Identity


def s3_location(s3: S3, folder: str, who: Identity = S3.admin, **changes: Any) -> S3CompatibleLocation:
    return S3CompatibleLocation.model_validate(
        {
            "Provider": "AmazonS3Compatible",
            "UriPath": f"s3://{s3.bucket}/{quote(folder)}",
            "EndpointUrl": s3.url,
            "CredentialsName": who.key_id,
            "CredentialsSecret": who.secret,
        }
        | changes
    )


def s3_folder(s3: S3, folder: str) -> Place:
    at = {"Bucket": s3.bucket}
    client, prefix = s3.client, f"{folder}/"

    def names() -> list[str]:
        pages = client.get_paginator("list_objects_v2").paginate(**at, Prefix=prefix)
        return sorted(item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", []))

    return Place(
        s3_location(s3, folder),
        lambda name, data: client.put_object(**at, Key=prefix + name, Body=data) and None,
        lambda name: client.get_object(**at, Key=prefix + name)["Body"].read(),
        names,
    )
