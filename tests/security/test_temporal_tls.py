"""Worker and command reach a Temporal server through TLS, with a client's certificate or an API key."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.service import READY, Service
from tests.integration.test_cli_run import ENCODING
from tests.servers.certificates import Certificates, certificates
from tests.servers.gateway import Gateway
from tests.servers.process import started
from tests.servers.temporal import TemporalServer
from workflows import client as jobs

API_KEY = "s3cret-Api.key"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("temporal-tls"))


@pytest.fixture(scope="module")
def gateways(
    tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer, tls: Certificates
) -> Iterator[tuple[Gateway, Gateway]]:
    """One that wants certificates of clients, and one that wants an API key."""
    folder = tmp_path_factory.mktemp
    mutual = Gateway(folder("mutual"), tls, temporal_server.address)
    keyed = Gateway(folder("keyed"), tls, temporal_server.address, API_KEY)
    with ExitStack() as stack:
        for gateway in (mutual, keyed):
            stack.enter_context(started(gateway))
        yield mutual, keyed


def variables(gateway: Gateway, tls: Certificates) -> dict[str, str]:
    ca = {"TEMPORAL_ADDRESS": gateway.address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(gateway.tls.ca)}
    client = {"TEMPORAL_TLS_CLIENT_CERT_PATH": str(tls.certificate), "TEMPORAL_TLS_CLIENT_KEY_PATH": str(tls.key)}
    return ca | client


@pytest.fixture(params=["mutual TLS", "API key"])
def settings(request: pytest.FixtureRequest, gateways: tuple[Gateway, Gateway], tls: Certificates) -> dict[str, str]:
    mutual, keyed = gateways
    if request.param == "mutual TLS":
        return variables(mutual, tls)
    ca = {"TEMPORAL_ADDRESS": keyed.address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(tls.ca)}
    return ca | {"TEMPORAL_API_KEY": API_KEY}


def encoding(settings: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Status of the command, and what it says."""
    done = subprocess.run(
        [ENCODING, *arguments], env=os.environ | settings, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr


def test_a_worker_serves_and_a_command_asks(settings: dict[str, str], tmp_path: Path) -> None:
    service = Service(tmp_path, **{"address": settings["TEMPORAL_ADDRESS"], **settings})
    with started(service):
        assert READY in service.log
        status, said = encoding(settings, "cancel", "nobody")
        assert (status, "no job has the id 'nobody'" in said) == (1, True)
    assert API_KEY not in service.log


Wrong = Callable[[dict[str, str], Path], dict[str, str]]


def other_authority(settings: dict[str, str], folder: Path) -> dict[str, str]:
    return settings | {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(certificates(folder / "other").ca)}


def missing_authority(settings: dict[str, str], folder: Path) -> dict[str, str]:
    return settings | {"TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(folder / "missing.pem")}


def other_client(settings: dict[str, str], folder: Path) -> dict[str, str]:
    other = certificates(folder / "other")
    client = {"TEMPORAL_TLS_CLIENT_CERT_PATH": str(other.certificate), "TEMPORAL_TLS_CLIENT_KEY_PATH": str(other.key)}
    return settings | client


def no_tls(settings: dict[str, str], _: Path) -> dict[str, str]:
    return {"TEMPORAL_ADDRESS": settings["TEMPORAL_ADDRESS"]}


class Telling:
    """Tells why a client cannot connect."""

    def __init__(self, gateways: tuple[Gateway, Gateway], monkeypatch: pytest.MonkeyPatch) -> None:
        self.mutual, self.keyed = gateways
        self._monkeypatch = monkeypatch

    async def __call__(self, settings: dict[str, str]) -> str:
        for name, value in settings.items():
            self._monkeypatch.setenv(name, value)
        with pytest.raises((jobs.Unreachable, ValueError)) as caught:
            await jobs.connect()
        return str(caught.value)


@pytest.fixture
def told(gateways: tuple[Gateway, Gateway], monkeypatch: pytest.MonkeyPatch) -> Telling:
    return Telling(gateways, monkeypatch)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (other_authority, "TEMPORAL_TLS_SERVER_CA_CERT_PATH"),
        (missing_authority, "missing.pem"),
        (other_client, "TEMPORAL_TLS_CLIENT_CERT_PATH"),
        (no_tls, "TEMPORAL_TLS to true"),
    ],
)
async def test_what_does_not_fit_is_named(
    wrong: Wrong, expected: str, told: Telling, tls: Certificates, tmp_path: Path
) -> None:
    assert expected in await told(wrong(variables(told.mutual, tls), tmp_path))


async def test_a_wrong_api_key_is_told_and_not_quoted(told: Telling, tls: Certificates) -> None:
    settings = {"TEMPORAL_ADDRESS": told.keyed.address, "TEMPORAL_TLS_SERVER_CA_CERT_PATH": str(tls.ca)}
    said = await told(settings | {"TEMPORAL_API_KEY": "wrong-Key"})
    assert "TEMPORAL_API_KEY" in said
    assert "wrong-Key" not in said
