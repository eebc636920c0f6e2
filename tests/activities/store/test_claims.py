"""Who was the last to publish at a place."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import pytest

from activities.archive import places_of
from activities.package import PackagedFormat
from activities.store.claims import claims_of
from activities.store.work import emptied
from tests.activities.running import JOB_ID
from tests.activities.store.conftest import Disk

OTHER = str(uuid4())
PLACES = ["a", "b"]


def test_the_last_one_has_a_place_until_it_ends(store: Disk) -> None:
    store("one")
    with claims_of(JOB_ID) as mine, claims_of(OTHER) as others:
        assert not mine.hold(PLACES)
        mine.take(PLACES)
        assert (mine.hold(PLACES), others.hold(PLACES)) == (True, False)
        others.take(["b"])
        assert (mine.hold(["a"]), mine.hold(PLACES), others.hold(["b"])) == (True, False, True)
        mine.drop()
        assert (mine.hold(["a"]), others.hold(["b"])) == (False, True)


def test_a_job_learns_how_often_it_has_lost_a_place(store: Disk) -> None:
    store("one")
    with claims_of(JOB_ID) as mine, claims_of(OTHER) as others:
        assert [mine.take(PLACES) for _ in range(2)] == [0, 0]
        assert (mine.are_free(PLACES), others.are_free(PLACES)) == (True, False)
        assert mine.held_since(0, PLACES)
        assert others.take(["b"]) == 0
        assert not mine.held_since(0, PLACES)
        assert [mine.take(PLACES) for _ in range(2)] == [1, 1]
        assert (mine.held_since(0, PLACES), mine.held_since(1, PLACES)) == (False, True)
        others.take(["b"])
        others.drop()  # what lies there is still the other's
        assert mine.are_free(PLACES)
        assert not mine.held_since(1, PLACES)
        assert mine.take(PLACES) == 2
        mine.drop()
        assert mine._notes.names() == []


def test_jobs_may_take_a_place_at_the_same_time(store: Disk) -> None:
    store("one")
    jobs = [str(uuid4()) for _ in range(4)]

    def take(job_id: str) -> None:
        with claims_of(job_id) as claims:
            for _ in range(10):
                claims.take(PLACES)

    with ThreadPoolExecutor(len(jobs)) as workers:
        assert [*workers.map(take, jobs)] == [None] * len(jobs)
    with ExitStack() as stack:
        held = [stack.enter_context(claims_of(job_id)).hold(["a"]) for job_id in jobs]
    assert held.count(True) == 1


def test_a_job_that_ends_reads_only_its_own_claims(store: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    store("one")
    with claims_of(JOB_ID) as mine, claims_of(OTHER) as others:
        mine.take(["a"])
        others.take(["b", "c", "d"])
        read, asked = mine._notes.read, list[str]()

        def counted(name: str) -> bytes | None:
            asked.append(name)
            return read(name)

        monkeypatch.setattr(mine._notes, "read", counted)
        mine.drop()
        assert asked == ["a"]
        others.drop()
        assert others._notes.names() == []


def test_a_claim_of_an_earlier_version_goes_with_its_job(store: Disk) -> None:
    store("one")
    with claims_of(JOB_ID) as mine, claims_of(OTHER) as others:
        mine._notes.write("a", JOB_ID.encode())
        others.take(["b"])
        others.drop()
        assert mine.hold(["a"])
        mine.drop()
        assert mine._notes.names() == []


def test_a_worker_of_an_earlier_version_leaves_no_mark(store: Disk) -> None:
    store("one")
    with claims_of(JOB_ID) as mine:
        mine.take(PLACES)
        for name in mine._notes.names():  # as it drops claims
            if mine._notes.read(name) == JOB_ID.encode():
                mine._notes.remove(name)
        assert mine._notes.names() == []


async def test_what_a_job_leaves_goes_with_its_claims(store: Disk) -> None:
    store("one")
    with claims_of(JOB_ID) as mine:
        mine.take(PLACES)
        await emptied(JOB_ID)
        assert not mine.hold(["a"])


def output(folder: str) -> PackagedFormat:
    manifest = f"{folder}manifest.mpd"
    return PackagedFormat(type="Dash", root="package", media=[], manifests=[manifest], links={"dash": manifest})


def test_a_place_has_one_name_however_a_job_comes_to_it() -> None:
    assert places_of("file:///out/", output("dash/")) == places_of("file:///out/dash/", output(""))
    assert places_of("file:///out/", output("dash/")) != places_of("file:///out/", output("hls/"))
