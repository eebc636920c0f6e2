"""Tools that get less memory than they need: the code of their phase, and what to do."""

import pytest

from activities.errors import AcquisitionError, EncodingError
from activities.map import MapRequest, map_media
from activities.mappings import MediaMappings
from tests.activities.limits.work import Work, run
from tests.activities.running import JOB_ID

pytestmark = pytest.mark.asyncio(loop_scope="module")
MAPPINGS = MediaMappings.model_validate({"MediaDetection": "Convention"})


@pytest.mark.parametrize(("megabytes", "told"), [("4", "ffprobe was killed"), ("8", "ffprobe was killed")])
async def test_a_probe_that_cannot_even_start_blames_no_file(
    work: Work, monkeypatch: pytest.MonkeyPatch, megabytes: str, told: str
) -> None:
    monkeypatch.setenv("ENCODING_TOOL_MEMORY_MB", megabytes)
    with pytest.raises(AcquisitionError, match=f"{told}.*ENCODING_TOOL_MEMORY_MB") as caught:
        await run(map_media, MapRequest(JOB_ID, [work.video.file], MAPPINGS), attempt=1)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("name", "megabytes"),
    [("chunk", "4"), ("chunk", "20"), ("sound", "12"), ("join", "4"), ("package", "20")],
)
async def test_the_setting_is_named(work: Work, monkeypatch: pytest.MonkeyPatch, name: str, megabytes: str) -> None:
    activity, request, _ = work.requests()[name]
    monkeypatch.setenv("ENCODING_TOOL_MEMORY_MB", megabytes)
    with pytest.raises(EncodingError, match="ENCODING_TOOL_MEMORY_MB") as caught:
        await run(activity, request, attempt=1)
    assert caught.value.retryable
