from typing import Any

import pytest
from pydantic import ValidationError

from activities.processing import ContentProcessing


def problems(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        ContentProcessing.model_validate(fields)
    return [(".".join(map(str, error["loc"])), error["msg"]) for error in caught.value.errors()]


def test_everything_may_be_left_out() -> None:
    section = ContentProcessing.model_validate({})
    assert section.output_format == ["Dash", "Hls"]
    assert (section.video_format, section.optimize_for, section.encoding_mode) == ("H264", "Balance", "Default")


@pytest.mark.parametrize(
    ("given", "formats"),
    [("Hls", ["Hls"]), (["Hls", "Dash"], ["Hls", "Dash"]), (["Cmaf", "Cmaf"], ["Cmaf"]), (["Dash"], ["Dash"])],
)
def test_formats_come_as_a_list_or_alone(given: Any, formats: list[str]) -> None:
    assert ContentProcessing.model_validate({"OutputFormat": given}).output_format == formats


@pytest.mark.parametrize("formats", [["Dash", "Cmaf"], ["Hls", "Cmaf"], ["DashOnDemand", "Dash"], [], ["dash"], 5])
def test_formats_that_do_not_go_together_name_the_field(formats: Any) -> None:
    assert problems(OutputFormat=formats)[0][0].startswith("OutputFormat")


@pytest.mark.parametrize(
    "fields",
    [
        {"VideoRepresentations": [{"BitrateInKbps": 1}]},
        {"VideoRepresentations": [{"Height": 720}]},
        {"VideoRepresentations": [{"Height": 15, "BitrateInKbps": 500}]},
        {"VideoRepresentations": [{"Width": 8193, "BitrateInKbps": 500}]},
        {"VideoRepresentations": [{"BitrateInKbps": 500 + n} for n in range(21)]},
        {"AudioRepresentations": [{"BitrateInKbps": 128, "Sound": "7.1"}]},
        {"AudioRepresentations": [{"BitrateInKbps": 0}]},
        {"AudioRepresentations": [{"BitrateInKbps": 128, "CreationRule": "Sometimes"}]},
        {"BitrateLadder": "V1"},
        {"OptimizeFor": "Price"},
    ],
)
def test_values_out_of_range_name_the_field(fields: dict[str, Any]) -> None:
    assert all(path.startswith(next(iter(fields))) for path, _ in problems(**fields))


@pytest.mark.parametrize(
    ("kbps", "sound", "audio_format", "allowed"),
    [
        (100, "Stereo", "AC3", "64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640"),
        (96, "5.1", "AC3", "128, 160,"),
        (289, "Mono", "AAC", "8 to 288"),
        (577, "Stereo", "AAC", "8 to 576"),
    ],
)
def test_bitrates_that_a_format_cannot_have_are_told_with_those_that_it_can(
    kbps: int, sound: str, audio_format: str, allowed: str
) -> None:
    rung = {"BitrateInKbps": kbps, "Sound": sound, "AudioFormat": audio_format}
    ((path, message),) = problems(AudioRepresentations=[rung])
    assert path == "AudioRepresentations.0"
    assert f"{audio_format} in {sound} cannot have {kbps}" in message
    assert allowed in message


def test_two_ladders_name_both_fields() -> None:
    ((_, message),) = problems(BitrateLadder="V2", VideoRepresentations=[{"BitrateInKbps": 500}])
    assert "BitrateLadder" in message
    assert "VideoRepresentations" in message


@pytest.mark.parametrize(
    ("field", "value"), [("BitrateLadder", "V2"), ("VideoRepresentations", [{"Height": 360, "BitrateInKbps": 500}])]
)
def test_what_is_only_packaged_has_no_ladder(field: str, value: Any) -> None:
    [(_, message)] = problems(VideoFormat="DoNotEncode", **{field: value})
    assert message.endswith(f"remove {field}")


def test_names_are_the_manifests_own_before_the_common_one_and_need_no_ending() -> None:
    given = {"ManifestName": "index", "HlsManifestName": "master.m3u8", "VideoChunksPattern": "movie"}
    naming = ContentProcessing.model_validate({"Naming": given}).naming
    assert naming
    assert (naming.dash_manifest, naming.hls_manifest, naming.video, naming.audio) == (
        "index",
        "master",
        "movie",
        "audio",
    )


@pytest.mark.parametrize(
    "naming",
    [
        {"ManifestName": "../index"},
        {"DashManifestName": "a/b"},
        {"VideoChunksPattern": "movie, the"},
        {"AudioChunksPattern": "$Number$"},
        {"HlsManifestName": "Audio-en"},
        {"ManifestName": "movie-1", "VideoChunksPattern": "movie"},
    ],
)
def test_names_stay_in_their_folder_and_meet_no_other_file(naming: dict[str, str]) -> None:
    assert problems(Naming=naming)[0][0].startswith("Naming")
