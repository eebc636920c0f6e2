from collections.abc import Iterator

import pytest

from tests.integration.service import Service, running
from tests.servers.temporal import TemporalServer


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer) -> Iterator[Service]:
    """One worker for the tests of a module; tests that kill it start their own."""
    with running(tmp_path_factory.mktemp("service"), temporal_server.address) as service:
        yield service
