"""TLS that ends before it has begun: a load balancer takes connections also while nobody is behind it."""

import socket

import pytest

from activities.drm.key import DrmError
from activities.storage.base import StorageError
from publishers.base import Unavailable
from publishers.config import AmazonSqs
from tests.security.leading import Lead, azure_tls, followed, ftps_events, https, key_service, rabbitmq_tls, s3_tls, sqs
from tests.servers.listener import Listener


class Balancer(Listener):
    """Reads the first words and closes the connection."""

    def serve(self, client: socket.socket) -> None:
        with client:
            client.recv(1 << 16)


def sqs_tls(host: str) -> AmazonSqs:
    return sqs(host).model_copy(update={"endpoint_url": f"https://{host}", "queue_url": f"https://{host}/1/q"})


LEADS: list[Lead] = [https, s3_tls, azure_tls, rabbitmq_tls, sqs_tls, ftps_events, key_service]


@pytest.mark.parametrize("lead", LEADS, ids=lambda lead: lead.__name__)
async def test_it_is_away_and_has_refused_nothing(lead: Lead) -> None:
    with Balancer() as balancer, pytest.raises((StorageError, Unavailable, DrmError)) as caught:
        await followed(lead(f"localhost:{balancer.port}"))
    assert getattr(caught.value, "temporary", True)
