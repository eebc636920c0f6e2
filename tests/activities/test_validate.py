from pathlib import Path

import pytest

from activities.errors import PrevalidationError
from activities.validate import ValidateRequest, validate
from tests.activities.running import Running, location


@pytest.fixture
def source(root: Path) -> Path:
    folder = root / "in"
    folder.mkdir()
    return folder


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def failure(source: Path, target: Path, images: Path | None = None) -> PrevalidationError:
    with pytest.raises(PrevalidationError) as caught:
        await validated(source, target, images)
    return caught.value


async def validated(source: Path, target: Path, images: Path | None = None) -> None:
    stills = location(images) if images else None
    await Running()(validate, ValidateRequest(location(source), location(target), stills))


async def test_good_locations_pass_and_nothing_is_left(root: Path, source: Path) -> None:
    await validated(source, root / "out", root / "out" / "stills")
    assert names(root) == ["in"]
    assert names(source) == []


async def test_every_bad_location_is_named_in_one_message(root: Path, read_only: Path) -> None:
    error = await failure(root / "nowhere", Path("/etc"), read_only)
    assert "ContentAcquisition.UriPath: " in str(error)
    assert "ContentPublishing.UriPath: " in str(error)
    assert "ImageExtraction.Location.UriPath: " in str(error)
    assert not error.retryable


async def test_a_full_disk_alone_is_tried_again(source: Path, full_disk: Path) -> None:
    (full_disk / "filler").write_bytes(bytes(64 * 1024))
    assert (await failure(source, full_disk)).retryable


@pytest.mark.parametrize("target", ["in", "in/out", ".", "link", "link/out", "in/../in/"])
async def test_output_in_around_or_at_the_source_is_refused(root: Path, source: Path, target: str) -> None:
    (root / "link").symlink_to(source)
    error = await failure(source, root / target)
    assert "ContentPublishing.UriPath" in str(error)
    assert "publish to another folder" in str(error)


async def test_a_folder_with_a_similar_name_is_another_folder(root: Path, source: Path) -> None:
    await validated(source, root / "in-2")


async def test_images_in_the_source_are_refused(root: Path, source: Path) -> None:
    error = await failure(source, root / "out", source / "stills")
    assert "ImageExtraction.Location.UriPath" in str(error)
    assert "ContentPublishing" not in str(error)
