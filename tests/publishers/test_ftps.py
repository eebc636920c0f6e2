import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest

import publishers.ftp
from publishers import check, publish
from publishers.base import PublishError, Refused, Unavailable
from publishers.config import Ftps
from publishers.connections import CONNECTIONS
from publishers.ftp import Client
from publishers.ftps import connect
from tests.publishers.messages import JOB_ID, lifecycle, progress
from tests.servers.certificates import Certificates
from tests.servers.ftps import Account, Pyftpd, Vsftpd
from tests.servers.ports import free_ports
from tests.servers.proxy import Proxy


@pytest.fixture(autouse=True)
def _trusted(ftp_certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODING_CA_FILE", str(ftp_certificates.ca))


@pytest.fixture(scope="module", params=["ftp", "ftpes", "ftps"])
def vsftpd(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    ftp_account: Account,
    ftp_certificates: Certificates,
) -> Iterator[Vsftpd]:
    server = Vsftpd(tmp_path_factory.mktemp("vsftpd"), request.param, ftp_account, ftp_certificates)
    with ExitStack() as stack:
        stack.callback(server.stop)
        server.start()
        yield server


def block(url: str, folder: str, user: str, password: str) -> Ftps:
    login = {"CredentialsName": user, "CredentialsSecret": password}
    return Ftps.model_validate({"Type": "Ftps", "UriPath": f"{url}/{folder}", **login})


def strict(server: Vsftpd, folder: str, **changes: str) -> Ftps:
    return block(
        **{"url": server.url, "folder": folder, "user": server.account.name, "password": server.account.password}
        | changes
    )


def lenient(server: Pyftpd, folder: str, **changes: str) -> Ftps:
    return block(**{"url": server.url, "folder": folder, "user": server.user, "password": server.password} | changes)


def received(folder: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in sorted((folder / JOB_ID).iterdir())}


async def failure(to: Ftps) -> PublishError:
    with pytest.raises(PublishError) as caught:
        await publish(to, lifecycle())
    assert to.credentials_secret not in str(caught.value)
    return caught.value


async def test_a_strict_server_takes_events_by_every_scheme(vsftpd: Vsftpd) -> None:
    events = [lifecycle(1), progress(1, 7), lifecycle(2)]
    to = strict(vsftpd, f"{vsftpd.scheme}/events/")
    for event in [*events, lifecycle(2)]:  # once again: it replaces itself
        await publish(to, event)
    assert received(vsftpd.account.home / vsftpd.scheme / "events") == {
        "000001-AcquisitionProgress-007.json": events[1].body,
        "000001-ImagesExtractionFailure.json": events[0].body,
        "000002-ImagesExtractionFailure.json": events[2].body,
    }


async def test_a_check_makes_the_folder_and_sends_nothing(vsftpd: Vsftpd) -> None:
    await check(strict(vsftpd, f"{vsftpd.scheme}/checked"))
    assert list((vsftpd.account.home / vsftpd.scheme / "checked").iterdir()) == []


async def test_a_wrong_password_is_refused(vsftpd: Vsftpd) -> None:
    error = await failure(strict(vsftpd, "events", password="wr0ng-s3cret"))
    assert isinstance(error, Refused)
    assert "user name and password" in str(error)


async def test_a_folder_that_cannot_be_made_is_refused(vsftpd: Vsftpd) -> None:
    (vsftpd.account.home / "file").write_text("")
    assert isinstance(await failure(strict(vsftpd, "file/events")), Refused)


async def test_a_lenient_server_and_odd_names(pyftpd: Pyftpd) -> None:
    await publish(lenient(pyftpd, "a%20b/gr%C3%B6%C3%9Fer/'%22"), event := lifecycle())
    assert list(received(pyftpd.home / "a b" / "größer" / "'\"").values()) == [event.body]


async def test_many_jobs_at_once_share_a_few_connections(pyftpd: Pyftpd) -> None:
    with Proxy(pyftpd.port) as proxy:
        to = lenient(pyftpd, "many", url=f"ftpes://127.0.0.1:{proxy.port}")
        await asyncio.gather(*(publish(to, lifecycle(number)) for number in range(1, 41)))
        assert proxy.opened <= CONNECTIONS
    assert [event["SequenceNumber"] for event in received(pyftpd.home / "many").values()] == list(range(1, 41))


async def test_a_connection_that_is_cut_leaves_no_half_file_and_is_made_again(pyftpd: Pyftpd) -> None:
    with Proxy(pyftpd.port) as proxy:
        to = lenient(pyftpd, "cut", url=f"ftpes://127.0.0.1:{proxy.port}")
        await publish(to, lifecycle(1))
        proxy.cut_at_answer = True
        assert isinstance(await failure(to), Unavailable)
        proxy.cut_at_answer = False
        await publish(to, lifecycle(2))
    assert [event["SequenceNumber"] for event in received(pyftpd.home / "cut").values()] == [1, 2]


async def test_a_server_that_is_killed_is_found_again(tmp_path: Path, ftp_certificates: Certificates) -> None:
    server = Pyftpd(tmp_path, ftp_certificates)
    server.start()
    try:
        await publish(to := lenient(server, "events"), lifecycle(1))
        server.kill()
        assert isinstance(await failure(to), Unavailable)
        server.start()
        await publish(to, lifecycle(2))
        assert [event["SequenceNumber"] for event in received(server.home / "events").values()] == [1, 2]
    finally:
        server.stop()


async def test_a_server_that_renames_over_nothing_still_takes_an_event_again(pyftpd: Pyftpd) -> None:
    for _ in range(2):
        await publish(lenient(pyftpd, "again"), event := lifecycle())
    assert list(received(pyftpd.home / "again").values()) == [event.body]


def test_an_attempt_that_comes_late_leaves_what_another_one_has_put_there(
    pyftpd: Pyftpd, monkeypatch: pytest.MonkeyPatch
) -> None:
    to, event, replace = lenient(pyftpd, "late"), lifecycle(), Client.replace

    with closing(connect(to)) as late, closing(connect(to)) as another:

        def stand_still(client: Client, source: str, target: str) -> None:
            monkeypatch.setattr(Client, "replace", replace)
            another.send(to, event)
            client.replace(source, target)

        monkeypatch.setattr(Client, "replace", stand_still)
        with pytest.raises(Unavailable, match="renamed already"):
            late.send(to, event)
        assert list(received(pyftpd.home / "late").values()) == [event.body]
        late.send(to, event)
    assert list(received(pyftpd.home / "late").values()) == [event.body]


def test_of_two_at_once_neither_puts_half_of_an_event_in_place(pyftpd: Pyftpd, monkeypatch: pytest.MonkeyPatch) -> None:
    to, event, data, replace = lenient(pyftpd, "rivals"), lifecycle(), Client.data, Client.replace
    begun, looked = Event(), Event()

    @contextmanager
    def wait(client: Client, command: str) -> Iterator[socket.socket]:
        with data(client, command) as connection:
            begun.set()
            assert looked.wait(10)
            yield connection

    with closing(connect(to)) as one, closing(connect(to)) as another, ThreadPoolExecutor() as thread:

        def let_another_begin(client: Client, source: str, target: str) -> None:
            monkeypatch.setattr(Client, "replace", replace)
            monkeypatch.setattr(Client, "data", wait)
            sending.append(thread.submit(another.send, to, event))
            assert begun.wait(10)
            client.replace(source, target)

        sending: list[Future[None]] = []
        monkeypatch.setattr(Client, "replace", let_another_begin)
        one.send(to, event)
        [path] = (pyftpd.home / "rivals" / JOB_ID).glob("[0-9]*")
        seen = path.read_text()
        looked.set()
        assert json.loads(seen) == event.body
        sending[0].result(10)
    assert list(received(pyftpd.home / "rivals").values()) == [event.body]


async def test_a_server_that_ends_tls_without_a_word_takes_events(
    tmp_path: Path, ftp_certificates: Certificates
) -> None:
    server = Pyftpd(tmp_path, ftp_certificates, lacks="close_notify")
    server.start()
    try:
        await publish(lenient(server, "events"), event := lifecycle())
        assert list(received(server.home / "events").values()) == [event.body]
    finally:
        server.stop()


async def test_a_user_who_may_not_write_is_refused(tmp_path: Path, ftp_certificates: Certificates) -> None:
    server = Pyftpd(tmp_path, ftp_certificates, permissions="elr")
    server.start()
    try:
        assert isinstance(await failure(lenient(server, "events")), Refused)
        with pytest.raises(Refused):
            await check(lenient(server, "events"))
    finally:
        server.stop()


async def test_a_certificate_that_nobody_signed_is_refused(pyftpd: Pyftpd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENCODING_CA_FILE")
    error = await failure(lenient(pyftpd, "untrusted", user="somebody-else"))
    assert isinstance(error, Refused)
    assert "ENCODING_CA_FILE" in str(error)


async def test_a_certificate_for_another_name_is_refused(pyftpd: Pyftpd) -> None:
    error = await failure(lenient(pyftpd, "events", url=pyftpd.url.replace("127.0.0.1", "127.1")))
    assert isinstance(error, Refused)
    assert "certificate" in str(error)


async def test_tls_from_the_start_to_a_server_that_is_asked_for_it_is_refused(pyftpd: Pyftpd) -> None:
    error = await failure(lenient(pyftpd, "events", url=pyftpd.url.replace("ftpes", "ftps")))
    assert "TLS" in str(error)


async def test_nobody_there_is_tried_again(pyftpd: Pyftpd) -> None:
    error = await failure(lenient(pyftpd, "events", url=f"ftpes://127.0.0.1:{free_ports(1)[0]}"))
    assert isinstance(error, Unavailable)


async def test_a_silent_server_does_not_hang(pyftpd: Pyftpd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishers.ftp, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = await failure(lenient(pyftpd, "events", url=f"ftp://127.0.0.1:{silent.getsockname()[1]}"))
    assert isinstance(error, Unavailable)


@pytest.mark.parametrize(
    "changes", [{"user": "me\r\nDELE x"}, {"password": "s3cret\r\nDELE x"}, {"folder": "a%0D%0ADELE%20x"}]
)
async def test_a_line_end_is_no_way_to_send_a_command(pyftpd: Pyftpd, changes: dict[str, str]) -> None:
    error = await failure(lenient(pyftpd, **{"folder": "events", **changes}))
    assert isinstance(error, Refused)
    assert "line ends" in str(error)


async def test_the_secret_is_in_no_log(pyftpd: Pyftpd, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await publish(lenient(pyftpd, "log"), lifecycle())
    assert pyftpd.password not in caplog.text
