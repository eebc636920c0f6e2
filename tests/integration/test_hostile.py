"""Bad input from end to end: a clear error, or it simply works; nothing is lost."""

import os
from pathlib import Path
from typing import Any

import pytest
from temporalio.service import RPCError

from tests.clips import Clips, vtt_file
from tests.integration.service import Service

ODD_NAMES = [
    "with space.mp4",
    "quote'\"s.mp4",
    "new\nline.mp4",
    "-i.mp4",
    "Grüße 世界.mp4",
    "a,b=c;%d$(id)`id`.mp4",
    "file:http:.mp4",
    "emoji 🎬\t.mp4",
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=range(len(ODD_NAMES)))
async def test_any_file_name_works(name: str, service: Service, clip: Clips) -> None:
    folder = service.root / f"odd-{ODD_NAMES.index(name)}"
    folder.mkdir()
    os.link(clip(), folder / name)
    vtt_file(folder / f"{name[:-4]}-sub-en.vtt")
    ended = await service.run(service.job(folder))
    assert ended.names[-1] == "JobSuccess"
    mapped = next(event for event in ended.events if event["EventType"] == "ContentMapped")
    assert mapped["VideoStream"]["FileName"] == name
    assert len(mapped["SubtitleStreams"]) == 1


async def test_odd_output_and_event_folders_work(service: Service, clip: Clips) -> None:
    odd = service.root / "odd out, =;\n'\"ü"
    job = service.job(service.source(clip(), name="plain"))
    job["ContentPublishing"]["UriPath"] = str(odd / "out")
    ended = await service.run(job)
    assert ended.names[-1] == "JobSuccess"
    assert (odd / "out" / "dash" / "manifest.mpd").exists()


async def test_a_link_out_of_the_root_is_not_read(service: Service, clip: Clips, tmp_path: Path) -> None:
    outside = tmp_path / "secret.mp4"
    outside.write_bytes(clip().read_bytes())
    source = service.source(name="links")
    (source / "movie.mp4").symlink_to(outside)
    ended = await service.run(service.job(source))
    assert ended.error["Code"] == 1000
    assert "link" in ended.error["Message"]


async def test_an_exploding_expression_ends(service: Service) -> None:
    source = service.source(name="explode")
    (source / ("a" * 60 + "!")).write_text("")
    ended = await service.run(service.job(source, MediaMappings={"VideoStreamExpression": r"^(a|aa)+$"}))
    assert ended.error["Code"] == 1000
    # A clever engine may answer at once; then the file just does not match.
    assert "VideoStreamExpression" in ended.error["Message"]


async def test_ten_megabytes_of_json_are_refused_at_the_door(service: Service, clip: Clips) -> None:
    job = service.job(service.source(clip(), name="large"), ExternalId="x" * 10_000_000)
    with pytest.raises(RPCError, match=r"(?i)size|larger|limit|exceed"):
        await service.submit(job)


async def test_a_large_job_that_fits_is_answered_by_its_fields(service: Service, clip: Clips) -> None:
    ended = await service.run(service.job(service.source(clip(), name="large"), ExternalId="x" * 1_000_000))
    assert ended.error["Code"] == 5003
    assert "ExternalId" in ended.error["Message"]


@pytest.mark.parametrize(
    ("signals", "status"),
    [
        ({"cancel": [{"not": "a string"}]}, "CANCELED"),
        ({"cancel": ["one", "two"]}, "CANCELED"),
        (
            {
                "progress_reported": ["nonsense"],
                "picture_arrived": [],
                "events": [],
                "unheard_of": [1],
                "pause": [1, 2],
                "resume": [3],
            },
            "COMPLETED",
        ),
        ({"progress_reported": [], "picture_arrived": [1, 2]}, "COMPLETED"),
    ],
)
async def test_strange_signals_do_not_hold_the_job_up(
    signals: dict[str, list[Any]], status: str, service: Service, clip: Clips
) -> None:
    handle = await service.submit(service.job(service.source(clip(), name="signals")))
    for signal, arguments in signals.items():
        await handle.signal(signal, args=arguments)
    ended = await service.end(handle)
    assert ended.names[-1] in ("JobSuccess", "FinalError")
    assert ended.status == status


async def test_a_secret_is_in_no_event_log_or_error(service: Service, clip: Clips) -> None:
    block = {
        "Type": "RabbitMQ",
        "Protocol": "amqp",
        "Host": "127.0.0.1",
        "Port": 1,
        "Queue": "q",
        "CredentialsName": "me",
        "CredentialsSecret": "c4n4ry-s3cret",
    }
    connection = (
        "Endpoint=sb://127.0.0.1;SharedAccessKeyName=me;SharedAccessKey=c4n4ry-s3cret;UseDevelopmentEmulator=true"
    )
    bus = {"Type": "AzureServiceBusQueue", "Connection": connection, "Queue": "q"}
    job = service.job(service.source(clip(), name="canary"))
    job["MessagePublishers"] += [block, bus]
    handle = await service.submit(job)
    await service.wait_for(handle.id, "JobSuccess")
    description = await handle.describe()
    failures = [str(activity.last_failure) for activity in description.raw_description.pending_activities]
    assert any("127.0.0.1:1" in failure for failure in failures)
    seen = "".join([service.log, *failures, *(map(str, service.events(handle.id)))])
    assert "c4n4ry" not in seen
    await handle.terminate()
