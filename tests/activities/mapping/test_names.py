import pytest

from activities.errors import AcquisitionError
from activities.mapping import names as module
from activities.mapping.names import Names
from activities.mappings import Claim, MediaMappings


def names(**fields: object) -> Names:
    return Names(MediaMappings.model_validate(fields))


@pytest.mark.parametrize("name", ["movie.mp4", "MOVIE.MKV", "a/b.ts", "movie.MoV", "new\nline.mpeg"])
def test_without_expression_a_video_is_known_by_its_ending(name: str) -> None:
    assert names().claims(name) == [Claim("video")]


@pytest.mark.parametrize("name", ["movie.mp4.txt", "mp4", "movie.jpg", "movie.m4a", "movie.vtt"])
def test_without_expression_nothing_else_is_a_video(name: str) -> None:
    assert names().claims(name) == []


def test_expressions_are_searched_in_the_name_relative_to_the_location() -> None:
    by = names(VideoStreamExpression="season1/.*[.]bin$")
    assert by.claims("x/season1/e1.bin") == [Claim("video")]
    assert by.claims("season2/e1.bin") == []


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
    by = names(AudioFileLanguageExpression=expression)
    assert by.claims("audio_ger.m4a") == [Claim("audio", language)]


def test_the_special_wins_over_the_general() -> None:
    by = names(
        SubtitleFileLanguageExpression=r"(?<lang>..)[.](vtt|srt)$",
        CaptionFileLanguageExpression=r"cc-(?<lang>..)[.](vtt|srt)$",
        AudioFileLanguageExpression=r"(?<lang>..)[.]m4a$",
        DescriptiveAudioFileLanguageExpression=r"ad-(?<lang>..)[.]m4a$",
        SubtitleStreams=[{"Language": "fre", "FileNameExpression": "^french"}],
    )
    assert by.claims("sub-en.vtt") == [Claim("subtitle", "en")]
    assert by.claims("cc-en.srt") == [Claim("caption", "en")]
    assert by.claims("de.m4a") == [Claim("audio", "de")]
    assert by.claims("ad-de.m4a") == [Claim("audio", "de", descriptive=True)]
    assert by.claims("french-cc-en.vtt") == [Claim("subtitle", "fr")]


def test_a_video_may_also_be_the_sound_of_a_language() -> None:
    by = names(AudioFileLanguageExpression=r"_(?<lang>..)[.]mp4$")
    assert by.claims("movie_de.mp4") == [Claim("video"), Claim("audio", "de")]


def test_text_is_what_can_be_converted() -> None:
    by = names(SubtitleFileLanguageExpression="sub_(?<lang>..)")
    for ending in ("VTT", "srt", "ttml", "dfxp", "itt", "pac"):
        assert by.claims(f"sub_en.{ending}") == [Claim("subtitle", "en")]
    assert by.claims("sub_en.xml") == []


@pytest.mark.parametrize("expression", [r"(a|aa)+$", r"(?:a|a)*$"])
def test_an_expression_that_never_ends_fails_the_job(expression: str) -> None:
    with pytest.raises(AcquisitionError, match=r"MediaMappings\.VideoStreamExpression takes more than 0\.5 s"):
        names(VideoStreamExpression=expression).claims("a" * 80 + "!")


def test_what_is_captured_must_be_a_language() -> None:
    with pytest.raises(AcquisitionError, match=r"SubtitleFileLanguageExpression finds 'forced'.*'sub-forced\.vtt'"):
        names(SubtitleFileLanguageExpression=r"sub-(\w+)").claims("sub-forced.vtt")


def test_every_odd_name_is_read() -> None:
    by = names(SubtitleFileLanguageExpression=r"sub-(?<lang>..)[.]vtt$")
    for odd in (
        "-i ",
        "a\nb",
        "$(x)`y`",
        "世界 🎬",
        "%s%n",
        "a,b=c;",
        "\x00\x7f",
        "\udcff",
        "e\u0301",
        "\u202e",
        "'\"",
    ):
        assert by.claims(f"{odd}sub-en.vtt") == [Claim("subtitle", "en")], odd


def test_many_names_are_read_with_many_expressions() -> None:
    streams = [{"Language": "de", "FileNameExpression": rf"^audio-\d+-{n}[.]m4a$"} for n in range(20)]
    by = names(AudioStreams=streams)
    found = [by.claims(f"audio-{number}-19.m4a") for number in range(1000)]
    assert found == [[Claim("audio", "de")]] * 1000


def test_many_slow_matches_do_not_add_up_to_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL_SECONDS", 0.2)
    by = names(VideoStreamExpression=r"(a|aa)+$")
    folder = ["a" * 24 + f"!{number}" for number in range(10_000)]
    with pytest.raises(AcquisitionError, match=r"MediaMappings take more than 0\.2 s .*reached 'aaa"):
        [by.claims(name) for name in folder]


def test_groups_of_the_videos_expression_are_no_languages() -> None:
    assert names(VideoStreamExpression="(movie|film)").claims("movie.x") == [Claim("video")]
    assert names(VideoStreamExpression="movie-(?<lang>..)").claims("movie-de.x") == [Claim("video", "de")]


def test_by_convention_no_expression_is_asked() -> None:
    by = names(MediaDetection="Convention")
    assert by.claims("movie-de.mp4") == [Claim("video", "de")]
    assert by.claims("notes.txt") == []
