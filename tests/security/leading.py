"""Blocks of a job that lead the worker to a host of their author's choice, one of each kind."""

from collections.abc import Callable

from activities.drm import speke
from activities.drm.config import DrmManaged
from activities.drm.key import DrmError
from activities.storage.base import StorageError
from activities.storage.config import AzureBlobLocation, FtpsLocation, HttpLocation, Location, S3CompatibleLocation
from publishers import check
from publishers.base import Refused
from publishers.config import AmazonSqs, AzureServiceBusQueue, Files, Ftps, MessagePublisher, RabbitMq
from tests.activities.storage.doing import check as check_location

LOGIN = {"CredentialsName": "me", "CredentialsSecret": "c2VjcmV0"}
ROLE = {"RoleArnToAssume": "arn:aws:iam::123456789012:role/any"}
ERRORS = (StorageError, Refused, DrmError)


def ftp(host: str) -> FtpsLocation:
    return FtpsLocation.model_validate({"Provider": "Ftps", "UriPath": f"ftp://{host}/in", **LOGIN})


def http(host: str) -> HttpLocation:
    return HttpLocation.model_validate({"Provider": "Http", "UriPath": f"http://{host}/in/"})


def https(host: str) -> HttpLocation:
    return HttpLocation.model_validate({"Provider": "Http", "UriPath": f"https://{host}/in/"})


def s3(host: str, **changes: str) -> S3CompatibleLocation:
    section = {"Provider": "AmazonS3Compatible", "UriPath": "s3://bucket/in/", "EndpointUrl": f"http://{host}", **LOGIN}
    return S3CompatibleLocation.model_validate(section | changes)


def s3_role(host: str) -> S3CompatibleLocation:
    return s3(host, **ROLE)


def s3_tls(host: str) -> S3CompatibleLocation:
    return s3(host, EndpointUrl=f"https://{host}")


def azure(host: str) -> AzureBlobLocation:
    section = {"Provider": "AzureBlob", "UriPath": f"http://{host}/me/container/in/", **LOGIN}
    return AzureBlobLocation.model_validate(section)


def azure_tls(host: str) -> AzureBlobLocation:
    return AzureBlobLocation.model_validate(
        {"Provider": "AzureBlob", "UriPath": f"https://{host}/container/in/", **LOGIN}
    )


def rabbitmq(host: str) -> RabbitMq:
    name, _, port = host.rpartition(":")
    section = {"Type": "RabbitMQ", "Protocol": "amqp", "Host": name, "Port": int(port), "Queue": "q", **LOGIN}
    return RabbitMq.model_validate(section)


def rabbitmq_tls(host: str) -> RabbitMq:
    return rabbitmq(host).model_copy(update={"protocol": "amqps"})


def emulator(host: str) -> AzureServiceBusQueue:
    connection = f"Endpoint=sb://{host};SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
    return AzureServiceBusQueue.model_validate({"Type": "AzureServiceBusQueue", "Connection": connection, "Queue": "q"})


def service_bus(host: str) -> AzureServiceBusQueue:
    """It knows one port alone, 5671."""
    connection = f"Endpoint=sb://{host.rpartition(':')[0]};SharedAccessKeyName=a;SharedAccessKey=b"
    return AzureServiceBusQueue.model_validate({"Type": "AzureServiceBusQueue", "Connection": connection, "Queue": "q"})


def sqs(host: str) -> AmazonSqs:
    section = {"Type": "AmazonSqs", "QueueUrl": f"http://{host}/1/q", "EndpointUrl": f"http://{host}", **LOGIN}
    return AmazonSqs.model_validate(section | {"Region": "eu-central-1"})


def ftps_events(host: str) -> Ftps:
    return Ftps.model_validate({"Type": "Ftps", "UriPath": f"ftps://{host}/events", **LOGIN})


def key_service(host: str, **changes: object) -> DrmManaged:
    section = {"ApiUrl": f"https://{host}/api", "TenantId": "t", "ManagementKey": "k"}
    return DrmManaged.model_validate(section | changes)


def pinned_key_service(host: str) -> DrmManaged:
    return key_service(host, Thumbprints="ab" * 20)


Lead = Callable[[str], Location | MessagePublisher | DrmManaged]
LEADS: list[Lead] = [
    *(ftp, http, https, s3, s3_role, s3_tls, azure, azure_tls),
    *(rabbitmq, rabbitmq_tls, emulator, service_bus, sqs, ftps_events),
    *(key_service, pinned_key_service),
]


async def followed(section: Location | MessagePublisher | DrmManaged) -> None:
    """Go where it leads, as a job does before its work.

    Raises:
        StorageError, PublishError, DrmError: one of `ERRORS` where the worker does not go there.
    """
    if isinstance(section, DrmManaged):
        speke.answer(section, b"")
    elif isinstance(section, RabbitMq | AzureServiceBusQueue | AmazonSqs | Ftps | Files):
        await check(section)
    else:
        await check_location(section, writable=False)
