from contextlib import closing
from typing import Any

import pytest
from pydantic import ValidationError

from activities.storage import storage_of
from activities.storage.config import AmazonS3Location, S3CompatibleLocation

KEYS = {"CredentialsName": "key", "CredentialsSecret": "secret"}
AMAZON = {"Provider": "AmazonS3"} | KEYS
OTHER = {"Provider": "AmazonS3Compatible", "EndpointUrl": "https://Store.example:443/"} | KEYS


def amazon(uri: str, **more: Any) -> AmazonS3Location:
    return AmazonS3Location.model_validate(AMAZON | {"UriPath": uri} | more)


def other(uri: str, **more: Any) -> S3CompatibleLocation:
    return S3CompatibleLocation.model_validate(OTHER | {"UriPath": uri} | more)


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix", "region"),
    [
        ("https://media.s3.eu-west-1.amazonaws.com/a/b/", "media", "a/b/", "eu-west-1"),
        ("https://my.own.media.s3.us-gov-west-1.amazonaws.com/a", "my.own.media", "a/", "us-gov-west-1"),
        ("https://media.s3.dualstack.eu-west-1.amazonaws.com", "media", "", "eu-west-1"),
        ("https://media.s3-eu-west-1.amazonaws.com/a%20b/%E4%B8%96/", "media", "a b/世/", "eu-west-1"),
        ("https://media.s3.amazonaws.com/a/", "media", "a/", None),
        ("https://s3.eu-west-1.amazonaws.com/my.media/a/b", "my.media", "a/b/", "eu-west-1"),
        ("https://s3.amazonaws.com/media/", "media", "", None),
        ("https://media.s3.cn-north-1.amazonaws.com.cn/a/", "media", "a/", "cn-north-1"),
        ("https://a.s3.eu-west-1.b.s3.us-east-2.amazonaws.com/x", "a.s3.eu-west-1.b", "x/", "us-east-2"),
    ],
)
def test_every_form_of_amazons_addresses_is_understood(uri: str, bucket: str, prefix: str, region: str | None) -> None:
    folder = amazon(uri).folder
    assert (folder.bucket, folder.prefix, folder.region) == (bucket, prefix, region)
    assert folder.dualstack == ("dualstack" in uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://media.s3.eu-west-1.example.com/a/",
        "https://media.s3.eu-west-1.amazonaws.com.evil.example/a/",
        "http://media.s3.eu-west-1.amazonaws.com/a/",
        "https://media.s3-website-eu-west-1.amazonaws.com/a/",
        "https://media.s3.eu-west-1.amazonaws.com:8443/a/",
        "https://s3.eu-west-1.amazonaws.com/",
        "https://media.s3-fips.us-east-1.amazonaws.com/a/",
        "s3://media/a/",
        "https://media.s3.amazonaws.com/%FF/",
        "https://key:secret@media.s3.amazonaws.com/a/",
    ],
)
def test_another_address_is_refused_when_the_job_is_read(uri: str) -> None:
    with pytest.raises(ValidationError, match=r"UriPath|CredentialsName"):
        amazon(uri)


@pytest.mark.parametrize(
    ("uri", "bucket", "prefix"),
    [
        ("s3://media/a/b", "media", "a/b/"),
        ("https://store.example/media/a%20b/", "media", "a b/"),
        ("https://media.store.example/a/", "media", "a/"),
        ("https://my.media.STORE.example:443", "my.media", ""),
    ],
)
def test_every_form_of_other_services_addresses_is_understood(uri: str, bucket: str, prefix: str) -> None:
    assert (other(uri).folder.bucket, other(uri).folder.prefix) == (bucket, prefix)


@pytest.mark.parametrize(
    "uri", ["https://elsewhere.example/media/a", "http://store.example/media", "https://store.example/", "s3:///a"]
)
def test_an_address_that_is_not_at_its_endpoint_is_refused(uri: str) -> None:
    with pytest.raises(ValidationError, match="UriPath"):
        other(uri)


def test_an_endpoint_holds_no_password() -> None:
    with pytest.raises(ValidationError, match="CredentialsName"):
        other("s3://media/a", EndpointUrl="https://key:secret@store.example")


def test_one_folder_is_one_place_however_it_is_written() -> None:
    spellings: list[AmazonS3Location | S3CompatibleLocation] = [
        amazon("https://media.s3.eu-west-1.amazonaws.com/a%20b"),
        amazon("https://MEDIA.s3.amazonaws.com/a%20b/"),
        amazon("https://s3.dualstack.eu-west-1.amazonaws.com/media/a%20b/"),
        other("s3://media/%61%20b", EndpointUrl="https://s3.eu-west-1.amazonaws.com"),
    ]
    places = set()
    for location in spellings:
        with closing(storage_of(location)) as storage:
            places.add(storage.place())
    assert places == {"https://s3.amazonaws.com/media/a%20b/"}


@pytest.mark.parametrize(
    ("endpoint", "uri", "place"),
    [
        (
            "https://evil.example/x.s3.amazonaws.com",
            "s3://victim/out",
            "https://evil.example/x.s3.amazonaws.com/victim/out/",
        ),
        (
            "https://x.s3.amazonaws.com.evil.example",
            "s3://victim/out",
            "https://x.s3.amazonaws.com.evil.example/victim/out/",
        ),
        (r"https://evil.example\x.s3.amazonaws.com", "s3://a/b", r"https://evil.example\x.s3.amazonaws.com/a/b/"),
        ("https://mine.s3.amazonaws.com", "s3://victim/out", "https://s3.amazonaws.com/mine/victim/out/"),
        ("https://s3.amazonaws.com/mine", "s3://victim/out", "https://s3.amazonaws.com/mine/victim/out/"),
    ],
)
def test_no_address_passes_for_the_place_of_another(endpoint: str, uri: str, place: str) -> None:
    assert other(uri, EndpointUrl=endpoint).folder.place == place


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://s3-fips.us-east-1.amazonaws.com",
        "https://s3-fips.dualstack.us-gov-west-1.amazonaws.com",
        "https://s3.dualstack.eu-west-1.amazonaws.com",
        "https://s3-accelerate.amazonaws.com",
        "https://s3-external-1.amazonaws.com",
        "http://s3.amazonaws.com",
        "https://S3.amazonaws.com.:443/",
    ],
)
def test_every_host_of_amazon_has_the_same_places(endpoint: str) -> None:
    assert other("s3://media/a", EndpointUrl=endpoint).folder.place == "https://s3.amazonaws.com/media/a/"


def test_credentials_of_the_worker_are_shown_to_amazon_alone() -> None:
    role = {"RoleArnToAssume": "arn:aws:iam::123456789012:role/any"}
    without = dict.fromkeys(KEYS)
    assert amazon("https://media.s3.amazonaws.com/a", **without, **role).role_arn_to_assume
    with pytest.raises(ValidationError, match="give CredentialsName and CredentialsSecret; the worker's own are for"):
        other("s3://media/a", **without, **role)


@pytest.mark.parametrize(
    ("location", "link"),
    [
        (amazon("https://media.s3.amazonaws.com/a b"), "https://media.s3.amazonaws.com/a%20b/x%2B%E4%B8%96/1%23.mpd"),
        (other("https://media.store.example/a"), "https://media.store.example/a/x%2B%E4%B8%96/1%23.mpd"),
        (other("s3://media/a"), "https://store.example/media/a/x%2B%E4%B8%96/1%23.mpd"),
    ],
)
def test_links_are_percent_encoded(location: AmazonS3Location | S3CompatibleLocation, link: str) -> None:
    with closing(storage_of(location)) as storage:
        assert storage.link("x+世/1#.mpd") == link
