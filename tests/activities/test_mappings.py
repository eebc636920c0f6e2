import pytest
from pydantic import ValidationError

from activities.errors import AcquisitionError
from activities.mappings import Claim, MediaMappings


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


@pytest.mark.parametrize("name", ["movie.mp4", "MOVIE.MKV", "a/b.ts", "movie.MoV", "new\nline.mpeg"])
def test_without_expression_a_video_is_known_by_its_ending(name: str) -> None:
    assert mappings().claims(name) == [Claim("video")]


@pytest.mark.parametrize("name", ["movie.mp4.txt", "mp4", "movie.jpg", "movie.m4a", "movie.vtt"])
def test_without_expression_nothing_else_is_a_video(name: str) -> None:
    assert mappings().claims(name) == []


def test_expressions_are_searched_in_the_name_relative_to_the_location() -> None:
    section = mappings(VideoStreamExpression="season1/.*[.]bin$")
    assert section.claims("x/season1/e1.bin") == [Claim("video")]
    assert section.claims("season2/e1.bin") == []


@pytest.mark.parametrize(
    ("expression", "language"),
    [
        (r"audio_(?<lang>\w+)[.]", "de"),
        (r"audio_(?P<lang>\w+)[.]", "de"),
        (r"(audio)_(?<lang>\w+)[.]", "de"),
        (r"audio_(\w+)[.]", "de"),
        (r"audio_(?<lang>xx)?", None),
        (r"audio_", None),
    ],
)
def test_the_language_is_the_group_lang_else_the_first(expression: str, language: str | None) -> None:
    section = mappings(AudioFileLanguageExpression=expression)
    assert section.claims("audio_ger.m4a") == [Claim("audio", language)]


def test_the_special_wins_over_the_general() -> None:
    section = mappings(
        SubtitleFileLanguageExpression=r"(?<lang>..)[.](vtt|srt)$",
        CaptionFileLanguageExpression=r"cc-(?<lang>..)[.](vtt|srt)$",
        AudioFileLanguageExpression=r"(?<lang>..)[.]m4a$",
        DescriptiveAudioFileLanguageExpression=r"ad-(?<lang>..)[.]m4a$",
        SubtitleStreams=[{"Language": "fre", "FileNameExpression": "^french"}],
    )
    assert section.claims("sub-en.vtt") == [Claim("subtitle", "en")]
    assert section.claims("cc-en.srt") == [Claim("caption", "en")]
    assert section.claims("de.m4a") == [Claim("audio", "de")]
    assert section.claims("ad-de.m4a") == [Claim("audio", "de", descriptive=True)]
    assert section.claims("french-cc-en.vtt") == [Claim("subtitle", "fr")]


def test_a_video_may_also_be_the_sound_of_a_language() -> None:
    section = mappings(AudioFileLanguageExpression=r"_(?<lang>..)[.]mp4$")
    assert section.claims("movie_de.mp4") == [Claim("video"), Claim("audio", "de")]


def test_text_is_what_can_be_converted() -> None:
    section = mappings(SubtitleFileLanguageExpression="sub_(?<lang>..)")
    for ending in ("VTT", "srt", "ttml", "dfxp", "itt", "pac"):
        assert section.claims(f"sub_en.{ending}") == [Claim("subtitle", "en")]
    assert section.claims("sub_en.xml") == []


@pytest.mark.parametrize("expression", ["(", "(?<lang>", "a{2,1}", "[", "*", "", "(" * 400, r"\L<x>"])
def test_an_expression_that_does_not_compile_is_named(expression: str) -> None:
    with pytest.raises(ValidationError, match="AudioFileLanguageExpression"):
        mappings(AudioFileLanguageExpression=expression)


def test_an_expression_of_more_than_1000_characters_is_refused() -> None:
    mappings(VideoStreamExpression="x" * 1000)
    with pytest.raises(ValidationError, match="1000"):
        mappings(VideoStreamExpression="x" * 1001)


@pytest.mark.parametrize("expression", [r"(a|aa)+$", r"(?:a|a)*$", r"(?R)"])
def test_an_expression_that_never_ends_fails_the_job(expression: str) -> None:
    with pytest.raises(AcquisitionError, match=r"MediaMappings\.VideoStreamExpression takes more than 0\.5 s"):
        mappings(VideoStreamExpression=expression).claims("a" * 80 + "!")


def test_what_is_captured_must_be_a_language() -> None:
    with pytest.raises(AcquisitionError, match=r"SubtitleFileLanguageExpression finds 'forced'.*'sub-forced\.vtt'"):
        mappings(SubtitleFileLanguageExpression=r"sub-(\w+)").claims("sub-forced.vtt")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("MediaDetection", "Convention"),
        ("AudioMappings", {"VideoStreamAudioTracks": []}),
        ("AudioLanguages", ["klingonese"]),
        ("FallbackLanguageCode", "und"),
        ("FallbackLanguageCode", ""),
        ("FailOnNoVideoTrack", True),
    ],
)
def test_what_this_release_cannot_serve_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        mappings(**{field: value})
