import pytest
import regex
from pydantic import ValidationError

from activities.mappings import MediaMappings


def mappings(**fields: object) -> MediaMappings:
    return MediaMappings.model_validate(fields)


def test_defaults_are_those_of_the_contract() -> None:
    assert mappings().to_json_object() == {
        "MediaDetection": "Regex",
        "VideoStreamExpression": None,
        "AudioFileLanguageExpression": None,
        "DescriptiveAudioFileLanguageExpression": None,
        "SubtitleFileLanguageExpression": None,
        "CaptionFileLanguageExpression": None,
        "AudioStreams": [],
        "SubtitleStreams": [],
        "CaptionStreams": [],
        "AudioLanguages": [],
        "SubtitleLanguages": [],
        "CaptionLanguages": [],
        "AudioMappings": None,
        "FailOnNoVideoTracks": True,
        "FailOnNoAudioTracks": True,
        "FailOnNoSubtitleTracks": False,
        "FailOnNoCaptionTracks": False,
        "FailOnIgnoredFiles": False,
        "FailOnIgnoredTracks": False,
        "FallbackLanguageCode": "en",
    }


def test_null_lists_are_empty_and_null_turns_the_fallback_off() -> None:
    section = mappings(AudioStreams=None, AudioLanguages=None, FallbackLanguageCode=None)
    assert (section.audio_streams, section.audio_languages) == ([], [])
    assert section.fallback_language_code is None


@pytest.mark.parametrize("expression", ["(", "(?<lang>", "a{2,1}", "[", "*", "", "(" * 400, r"\L<x>"])
def test_an_expression_that_does_not_compile_is_named(expression: str) -> None:
    with pytest.raises(ValidationError, match="AudioFileLanguageExpression"):
        mappings(AudioFileLanguageExpression=expression)


@pytest.mark.parametrize(
    "call",
    [
        "(?R)?a",
        "(?0)?a",
        "(a|(?1)b)",
        "(?<x>a|(?&x)b)",
        "(?P<x>a|(?P>x)b)",
        "(?P<x>a|(?P&x)b)",
        "(a|(?-1)b)",
        "(?+1)(a)",
        r"\\(?R)?a",
        "(?x)(?P<x>a|(?P # b\n >x)b)",
        "(?x)(a|(?- 1)b)",
        "(?x)# \\\n(?R)?a",
        r"(?#\))(?R)?a",
    ],
)
def test_an_expression_that_calls_itself_is_named(call: str) -> None:
    regex.compile(call)
    with pytest.raises(ValidationError, match=r"VideoStreamExpression\n.* calls a group of itself"):
        mappings(VideoStreamExpression=call)


@pytest.mark.parametrize(
    "usual", [r"\(?R\)?", r"\(?1", "(?P<x>a)(?P=x)", "(?i:a)(?-i:b)", "(a)?(?(1)b|c)", "(?>a)(?|b|c)"]
)
def test_what_only_looks_like_a_call_is_taken(usual: str) -> None:
    assert mappings(VideoStreamExpression=usual).video_stream_expression == usual


def test_an_expression_of_more_than_1000_characters_is_refused() -> None:
    mappings(VideoStreamExpression="x" * 1000)
    with pytest.raises(ValidationError, match="1000"):
        mappings(VideoStreamExpression="x" * 1001)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("MediaDetection", "Guess"),
        ("AudioLanguages", ["klingonese"]),
        ("FallbackLanguageCode", "und"),
        ("FallbackLanguageCode", ""),
        ("FailOnNoVideoTrack", True),
    ],
)
def test_what_is_no_value_of_a_field_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        mappings(**{field: value})


@pytest.mark.parametrize("indices", [[], [1], [1, 2, 3], [1, 2, 3, 4, 5, 6, 7]])
def test_two_or_six_tracks_are_joined(indices: list[int]) -> None:
    with pytest.raises(
        ValidationError, match=rf"TrackIndices\n.*two tracks for stereo, or six.*these are {len(indices)}"
    ):
        joining({"TrackIndices": indices, "Language": "en"})


@pytest.mark.parametrize(
    ("mapping", "field"),
    [
        ({"TrackIndices": [0, 1], "Language": "en"}, "TrackIndices.0"),
        ({"TrackIndices": ["x", 1], "Language": "en"}, "TrackIndices.0"),
        ({"TrackIndices": [1, 2], "Language": "und"}, "Language"),
        ({"TrackIndices": [1, 2]}, "Language"),
        ({"TrackIndices": [1, 2], "Language": "en", "Channels": 2}, "Channels"),
    ],
)
def test_a_bad_join_is_named_by_its_field(mapping: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError, match=rf"AudioMappings\.VideoStreamAudioTracks\.0\.{field}\n"):
        joining(mapping)


def test_joins_are_read_and_null_is_none() -> None:
    (join,) = joining({"TrackIndices": [1, 2], "Language": "ger"}).audio_mappings.video_stream_audio_tracks  # type: ignore[union-attr]
    assert (join.track_indices, join.language) == ([1, 2], "de")
    assert mappings(AudioMappings=None).audio_mappings is None
    assert mappings(AudioMappings={"VideoStreamAudioTracks": None}).audio_mappings


def joining(*joins: dict[str, object]) -> MediaMappings:
    return mappings(AudioMappings={"VideoStreamAudioTracks": list(joins)})


def test_convention_and_expressions_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="remove VideoStreamExpression, CaptionStreams, or set MediaDetection"):
        mappings(
            MediaDetection="Convention",
            VideoStreamExpression="x",
            CaptionStreams=[{"Language": "en", "FileNameExpression": "x"}],
        )


def test_convention_goes_with_everything_else() -> None:
    written = mappings().to_json_object() | {"MediaDetection": "Convention", "AudioLanguages": ["en"]}
    assert MediaMappings.model_validate(written).media_detection == "Convention"
