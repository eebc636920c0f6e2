"""Whole jobs between storages of different kinds."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.activities.storage.doing import Place, SourcePlace
from tests.clips import Clips, vtt_file
from tests.integration.players import decoded_tracks
from tests.integration.service import Service, running
from tests.servers.certificates import Certificates
from tests.servers.temporal import TemporalServer


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, temporal_server: TemporalServer, ftp_certificates: Certificates
) -> Iterator[Service]:
    settings = {"ENCODING_CA_FILE": str(ftp_certificates.ca), "ENCODING_PRIVATE_HOSTS": "127.0.0.1"}
    with running(tmp_path_factory.mktemp("storages"), temporal_server.address, **settings) as service:
        yield service


@pytest.fixture
def filled(clip: Clips, tmp_path: Path) -> Callable[[SourcePlace], SourcePlace]:
    """Puts a title into a place."""

    def fill(place: SourcePlace) -> SourcePlace:
        place.put("movie.mp4", clip(seconds=2).read_bytes())
        place.put("movie-sub-en.vtt", vtt_file(tmp_path / "x.vtt").read_bytes())
        place.put("readme.txt", b"not media")
        return place

    return fill


def job(service: Service, source: SourcePlace, target: Place, **processing: Any) -> dict[str, Any]:
    made = service.job(
        Path(),
        ContentAcquisition=source.location.to_json_object(),
        ContentPublishing=target.location.to_json_object(),
    )
    made["ContentProcessing"] |= processing
    return made


def downloaded(place: Place, folder: Path) -> Path:
    for name in place.names():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(place.get(name))
    return folder


def secrets(*places: SourcePlace) -> list[str]:
    found = [getattr(place.location, "credentials_secret", None) for place in places]
    return [secret for secret in found if secret]


@pytest.fixture
def pair(filled: Callable[[SourcePlace], SourcePlace], request: pytest.FixtureRequest) -> tuple[SourcePlace, Place]:
    """A title in one kind of storage, and a place in another."""
    source, target = request.param.split("-")
    return filled(request.getfixturevalue(f"{source}_place")), request.getfixturevalue(f"{target}_place")


@pytest.mark.parametrize("pair", ["s3-azure", "azure-ftps", "http-s3", "ftps-s3"], indirect=True)
async def test_a_title_goes_from_one_kind_of_storage_to_another(
    pair: tuple[SourcePlace, Place], service: Service, serve_folder: Callable[[Path], str], tmp_path: Path
) -> None:
    from_, to = pair
    for older in ("manifest.mpd", "old.m3u8", "video-H264-90-100k/99.m4s"):
        to.put(older, b"of an older title")
    to.put("poster.jpg", b"not ours")

    deletes = isinstance(from_, Place)
    ended = await service.run(job(service, from_, to, OutputFormat=["Hls"], DeleteFilesFromSourceWhenDone=deletes))

    assert ended.names[-1] == "JobSuccess", ended.events[-1]
    names = to.names()
    published = next(event for event in ended.events if event["EventType"] == "ContentPublished")
    assert published["TotalFilesCount"] == len(names) - 1
    assert {name for name in names if name.endswith(("mpd", "jpg", "99.m4s"))} == {"poster.jpg"}
    assert "old.m3u8" not in names
    address = serve_folder(downloaded(to, tmp_path))
    tracks = decoded_tracks(f"{address}/manifest.m3u8")
    assert {track.frames for track in tracks if track.kind == "video"} == {50}
    acquired = next(event for event in ended.events if event["EventType"] == "ContentAcquired")
    assert (acquired["TotalFilesCount"], acquired["IgnoredFiles"]) == (2, ["readme.txt"])
    assert not isinstance(from_, Place) or from_.names() == ["readme.txt"]
    for secret in secrets(from_, to):
        assert secret not in service.log
        assert secret not in json.dumps(ended.events)


@pytest.mark.parametrize(
    ("place", "field"),
    [("s3", "CredentialsSecret"), ("azure", "CredentialsSecret"), ("ftps", "CredentialsName")],
    indirect=["place"],
)
async def test_5003_credentials_that_are_wrong_are_told_with_their_field(
    place: Place, field: str, service: Service, filled: Callable[[SourcePlace], SourcePlace]
) -> None:
    wrong = job(service, filled(place), place)
    for section in ("ContentAcquisition", "ContentPublishing"):
        wrong[section]["CredentialsSecret"] = "d3JvbmctcGFzc3dvcmQtd3Jvbmc="
    error = (await service.run(wrong)).error
    assert error["Code"] == 5003
    assert f"ContentAcquisition.{field}: " in error["Message"]
    assert f"ContentPublishing.{field}: " in error["Message"]
    assert "d3JvbmctcGFzc3dvcmQtd3Jvbmc=" not in json.dumps(error) + service.log
    assert place.names() == ["movie-sub-en.vtt", "movie.mp4", "readme.txt"]
