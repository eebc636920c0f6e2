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


@pytest.mark.parametrize("formats", [["Dash", "Cmaf"], ["Hls", "Cmaf"], [], ["dash"], None])
def test_formats_that_do_not_go_together_name_the_field(formats: Any) -> None:
    assert problems(OutputFormat=formats)[0][0].startswith("OutputFormat")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("OutputFormat", ["DashOnDemand"]),
        ("VideoFormat", "DoNotEncode"),
        ("EncodingMode", "PerScene"),
        ("AudioRepresentations", [{"BitrateInKbps": 128, "AudioFormat": "AC3"}]),
        ("NormalizeAudio", True),
        ("Archiving", "Tar"),
        ("Naming", {"ManifestName": "index"}),
    ],
)
def test_what_this_release_cannot_do_is_said_and_not_ignored(field: str, value: Any) -> None:
    ((path, message),) = problems(**{field: value})
    assert path.startswith(field)
    assert "does not support it yet" in message


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


def test_two_ladders_name_both_fields() -> None:
    ((_, message),) = problems(BitrateLadder="V2", VideoRepresentations=[{"BitrateInKbps": 500}])
    assert "BitrateLadder" in message
    assert "VideoRepresentations" in message
