"""Jobs of every kind: between all storages, in all formats, clear and encrypted, told over all transports."""

import base64
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.activities.drm.test_encryption import IV, KEY, KID
from tests.chaos.world import QUEUE, World
from tests.integration.test_outages import queue
from workflows.job import Job
from workflows.keys import protect_job, public_key

DRM = {
    "DrmProtection": "Base64Key",
    "KeyId": KID,
    "ContentKey": base64.b64encode(KEY).decode(),
    "KeysProtection": "Unencrypted",
    "ExplicitIV": IV,  # else each run has its own
}
ALL = ("Files", "RabbitMQ", "AmazonSqs", "AzureServiceBusQueue", "Ftps")


@dataclass(frozen=True)
class Kind:
    """What jobs have in common that are to have the same output."""

    name: str
    source: str
    target: str
    formats: tuple[str, ...]
    publishers: tuple[str, ...] = ALL
    processing: dict[str, Any] = field(default_factory=dict)
    film: bool = False
    """Of two minutes, so that it is cut into chunks; else a clip."""
    cenc: str | None = None
    """The folder, as the beginning of a name, whose segments differ from run to run but in size."""


CLIPS = (
    Kind("clip from files to files", "files", "files", ("Dash", "Hls")),
    Kind("clip from S3 to Blob", "s3", "blob", ("Hls",), ("RabbitMQ", "AmazonSqs")),
    Kind("clip from Blob to FTPS", "blob", "ftp", ("Cmaf",), ("AzureServiceBusQueue", "Ftps", "Files")),
    Kind("encrypted clip from FTPS to S3", "ftp", "s3", ("Dash", "Hls"), processing=DRM, cenc="dash/"),
    Kind("clip from S3 to files", "s3", "files", ("Cmaf",), ("AzureServiceBusQueue", "RabbitMQ"), DRM),
)
FILMS = (
    Kind("film from files to S3", "files", "s3", ("Hls",), film=True),
    Kind("encrypted film from S3 to FTPS", "s3", "ftp", ("Dash",), ("RabbitMQ", "Files"), DRM, film=True, cenc=""),
)


@dataclass(frozen=True)
class Submitted:
    """One job."""

    kind: Kind
    id: str
    folder: str
    """In the storage of its target."""
    description: dict[str, Any]


class Jobs:
    """Makes jobs of `world`; the sources are there from the beginning."""

    def __init__(self, world: World, clip: Path, film: Path) -> None:
        self._world = world
        for storage in world.storages.values():
            storage.put("in/clip/movie.mp4", clip.read_bytes())
            storage.put("in/film/movie.mp4", film.read_bytes())

    def new(self, kind: Kind) -> Submitted:
        """Another job of a kind, its secrets protected."""
        id_ = str(uuid.uuid4())
        world, folder = self._world, f"out/{id_}"
        made = world.workers[0].job(
            Path(),
            MessagePublishers=[self._publisher(name) for name in kind.publishers],
            ContentAcquisition=world.storages[kind.source].location("in/film" if kind.film else "in/clip"),
            ContentPublishing=world.storages[kind.target].location(folder),
        )
        picture = {"VideoRepresentations": [{"BitrateInKbps": 40}], "OutputFormat": [*kind.formats]}
        made["ContentProcessing"] |= picture | kind.processing
        protect_job(made, Job.parse(made), public_key(world.public_key))
        return Submitted(kind, id_, folder, made)

    def _publisher(self, name: str) -> dict[str, Any]:
        world, ports = self._world, {name: proxy.port for name, proxy in self._world.proxies.items()}
        sqs = {"CredentialsName": world.sqs.key_id, "CredentialsSecret": world.sqs.secret, "Region": world.sqs.region}
        ftp = {"CredentialsName": world.ftp.user, "CredentialsSecret": world.ftp.password}
        connection = world.bus.connection_string(Endpoint=f"sb://127.0.0.1:{ports['bus']}")
        return {
            "Files": {"Type": name, "UriPath": str(world.root / "events")},
            "RabbitMQ": queue(world.rabbitmq, QUEUE, Port=ports["rabbitmq"]),
            "AmazonSqs": {
                "Type": name,
                "QueueUrl": world.queue_url.replace(str(world.sqs.port), str(ports["sqs"])),
                "EndpointUrl": f"http://127.0.0.1:{ports['sqs']}",
                **sqs,
            },
            "AzureServiceBusQueue": {"Type": name, "Connection": connection, "Queue": QUEUE},
            "Ftps": {"Type": name, "UriPath": f"ftpes://127.0.0.1:{ports['ftp']}/events", **ftp},
        }[name]
