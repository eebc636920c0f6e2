import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from publishers import connections
from publishers.base import Refused, Unavailable
from publishers.connections import CONNECTIONS, close_connections, use
from publishers.events import Message


class Fake:
    """Stands for a library's connection: the real ones are tested with their servers, this shows who uses it when."""

    opened = 0
    closed = 0
    in_use = 0
    most_in_use = 0
    lock = threading.Lock()

    def __init__(self) -> None:
        type(self).opened += 1
        self.threads: set[int] = set()
        self.broken = False

    def work(self, seconds: float = 0.0) -> None:
        with self.lock:
            type(self).in_use += 1
            type(self).most_in_use = max(self.in_use, self.most_in_use)
        self.threads.add(threading.get_ident())
        assert len(self.threads) == 1
        time.sleep(seconds)
        with self.lock:
            type(self).in_use -= 1
        if self.broken:
            raise Unavailable("it broke while it lay idle")

    def send(self, config: object, message: Message) -> None:
        raise NotImplementedError

    def check(self, config: object) -> None:
        raise NotImplementedError

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def fake() -> Iterator[type[Fake]]:
    class Counted(Fake):
        pass

    yield Counted
    close_connections()


@pytest.fixture
def work(fake: type[Fake]) -> Callable[..., "asyncio.Future[None]"]:
    return lambda seconds=0.0, key="endpoint": asyncio.ensure_future(
        use(key, fake, lambda connection: connection.work(seconds))  # type: ignore[attr-defined]
    )


Work = Callable[..., "asyncio.Future[None]"]


async def test_one_after_the_other_uses_one_connection(fake: type[Fake], work: Work) -> None:
    for _ in range(20):
        await work()
    assert fake.opened == 1


async def test_a_thousand_at_once_use_a_few_connections(fake: type[Fake], work: Work) -> None:
    await asyncio.gather(*(work(0.001) for _ in range(1000)))
    assert fake.opened == fake.most_in_use == CONNECTIONS


async def test_each_endpoint_has_its_own(fake: type[Fake], work: Work) -> None:
    await work(key="a")
    await work(key="b")
    assert fake.opened == 2


async def test_a_slow_endpoint_holds_no_other_up(work: Work) -> None:
    slow = [work(0.5, key="slow") for _ in range(2 * CONNECTIONS)]
    await work(key="quick")
    assert not any(each.done() for each in slow)
    await asyncio.gather(*slow)


async def test_a_connection_that_broke_while_idle_is_replaced_at_once(fake: type[Fake]) -> None:
    used: list[Fake] = []

    def errand(connection: Fake) -> None:
        used.append(connection)
        connection.work()

    await use("endpoint", fake, errand)  # type: ignore[arg-type]
    used[0].broken = True
    await use("endpoint", fake, errand)  # type: ignore[arg-type]
    assert (fake.opened, fake.closed, len(used)) == (2, 1, 3)


async def test_a_fresh_connection_that_fails_says_so(fake: type[Fake]) -> None:
    def errand(_: object) -> None:
        raise Unavailable("nobody there")

    with pytest.raises(Unavailable, match="nobody there"):
        await use("endpoint", fake, errand)
    assert (fake.opened, fake.closed) == (1, 1)


async def test_what_was_refused_is_not_tried_again(fake: type[Fake], work: Work) -> None:
    tries = []

    def errand(connection: object) -> None:
        tries.append(connection)
        raise Refused("no")

    await work()
    with pytest.raises(Refused):
        await use("endpoint", fake, errand)
    assert len(tries) == 1


async def test_an_endpoint_that_cannot_be_reached_can_be_later(fake: type[Fake]) -> None:
    def connect() -> Fake:
        if not fake.opened:
            fake.opened += 1
            raise Unavailable("not yet")
        return fake()

    with pytest.raises(Unavailable):
        await use("endpoint", connect, lambda _: None)
    await use("endpoint", connect, lambda _: None)


async def test_idle_connections_close_and_their_threads_end(
    fake: type[Fake], work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.05)
    before = threading.active_count()
    await asyncio.gather(*(work(0.01) for _ in range(10)))
    while threading.active_count() > before:
        await asyncio.sleep(0.01)
    assert fake.closed == fake.opened > 0
    await work()
    assert fake.opened == fake.closed + 1


async def test_closing_waits_for_what_was_submitted(fake: type[Fake], work: Work) -> None:
    sends = [work(0.05) for _ in range(3 * CONNECTIONS)]
    await asyncio.sleep(0)
    await asyncio.to_thread(close_connections)
    await asyncio.gather(*sends)
    assert fake.closed == fake.opened


async def test_who_gives_up_waiting_leaves_the_connection_usable(fake: type[Fake], work: Work) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(work(0.2), 0.05)
    await work()
    assert fake.opened <= 2
